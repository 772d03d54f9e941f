//! What a compiler's process takes from itself, besides its limits: files and networks (Landlock), and every system call that
//! compiling does not need (seccomp). Where a kernel lacks one of them, the other still holds, and the Bridge says so once.
//!
//! A component that takes the compiler over by a fault of it can then compute, and answer what it likes on the pipe. It must not gain
//! more than that here: whatever is added to the list of calls is added to what such a component can do.

use serde::{Deserialize, Serialize};

/// What the kernel holds a compiler to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Confinement {
    /// To no file and no TCP.
    pub(super) landlock: bool,
    /// To the system calls that it needs.
    pub(super) seccomp: bool,
    /// Behind everything else on the machine.
    pub(super) nice: bool,
}

impl Confinement {
    /// What does not hold, in words; none if all does.
    pub(super) fn missing(self) -> Option<String> {
        let all = [("Landlock", self.landlock), ("seccomp", self.seccomp), ("a lower priority", self.nice)];
        let missing: Vec<&str> = all.into_iter().filter(|(_, holds)| !holds).map(|(name, _)| name).collect();
        if missing.is_empty() { None } else { Some(missing.join(" and ")) }
    }
}

/// Confines this process, which must have no other thread yet: Landlock is of a thread and of those that it starts. Its priority is not set here.
#[cfg(target_os = "linux")]
pub(super) fn confine() -> Confinement {
    // In this order: the second forbids what the first does.
    let landlock = linux::forbid_files();
    Confinement { landlock, seccomp: linux::forbid_calls(), nice: false }
}

/// Nothing of the kind is here.
#[cfg(not(target_os = "linux"))]
pub(super) fn confine() -> Confinement {
    Confinement::default()
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;

    use landlock::{
        ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, RulesetStatus,
        Scope,
    };
    use seccompiler::{
        BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule,
    };

    /// What memory, threads, clocks and two pipes need.
    const CALLS: &[libc::c_long] = &[
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_close,
        libc::SYS_fstat,
        libc::SYS_brk,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_membarrier,
        libc::SYS_clone3,
        libc::SYS_set_robust_list,
        libc::SYS_rseq,
        libc::SYS_futex,
        libc::SYS_sched_yield,
        libc::SYS_sched_getaffinity,
        libc::SYS_gettid,
        libc::SYS_getpid,
        libc::SYS_exit,
        libc::SYS_exit_group,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_restart_syscall,
        libc::SYS_clock_gettime,
        libc::SYS_clock_getres,
        libc::SYS_clock_nanosleep,
        libc::SYS_nanosleep,
        libc::SYS_getrandom,
    ];

    /// Forbids all files, TCP, signals to others and abstract sockets, as far as the kernel knows them. Whether it does.
    pub(super) fn forbid_files() -> bool {
        // Without a rule nothing of what is handled is allowed; what the kernel does not know is left out.
        let ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(ABI::V6))
            .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(ABI::V6)))
            .and_then(|ruleset| ruleset.scope(Scope::from_all(ABI::V6)))
            .and_then(Ruleset::create);
        let restricted = ruleset.and_then(landlock::RulesetCreated::restrict_self);
        restricted.is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced)
    }

    /// Lets all calls but those of the list fail. Whether it does.
    pub(super) fn forbid_calls() -> bool {
        let (Ok(old), Ok(filter)) = (without_clone3(), filter()) else { return false };
        // The stricter of two filters counts. The second one allows no third.
        seccompiler::apply_filter(&old).and_then(|()| seccompiler::apply_filter(&filter)).is_ok()
    }

    /// A thread's flags are behind a pointer there, where no filter can look; told that there is no such call, the C library takes `clone`.
    fn without_clone3() -> Result<BpfProgram, BackendError> {
        program([(libc::SYS_clone3, Vec::new())].into(), SeccompAction::Allow, errno(libc::ENOSYS))
    }

    fn filter() -> Result<BpfProgram, BackendError> {
        let mut rules: BTreeMap<libc::c_long, Vec<SeccompRule>> =
            CALLS.iter().map(|call| (*call, Vec::new())).collect();
        let masked = |mask: i32| SeccompCmpOp::MaskedEq(u64::from(mask.cast_unsigned()));
        // Memory, but none that can be executed.
        for call in [libc::SYS_mmap, libc::SYS_mprotect] {
            rules.insert(call, vec![when(2, masked(libc::PROT_EXEC), 0)?]);
        }
        // Threads, but no process.
        rules.insert(libc::SYS_clone, vec![when(0, masked(libc::CLONE_THREAD), libc::CLONE_THREAD.cast_unsigned())?]);
        // Its own end, when memory fails it; and its own limits. Those of memory, files and dumps it can only lower; that of time it raises for each
        // component, and could raise at will: the Bridge's clock is what ends it then.
        rules.insert(libc::SYS_tgkill, vec![when(0, SeccompCmpOp::Eq, std::process::id())?]);
        rules.insert(libc::SYS_prlimit64, vec![when(0, SeccompCmpOp::Eq, 0)?]);
        program(rules, errno(libc::EPERM), SeccompAction::Allow)
    }

    fn when(argument: u8, is: SeccompCmpOp, value: u32) -> Result<SeccompRule, BackendError> {
        SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Dword, is, u64::from(value))?])
    }

    fn program(
        rules: BTreeMap<libc::c_long, Vec<SeccompRule>>,
        others: SeccompAction,
        those: SeccompAction,
    ) -> Result<BpfProgram, BackendError> {
        SeccompFilter::new(rules, others, those, std::env::consts::ARCH.try_into()?)?.try_into()
    }

    fn errno(error: i32) -> SeccompAction {
        SeccompAction::Errno(error.cast_unsigned())
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::{fs, io::ErrorKind, net::TcpListener, process::Command, thread};

    use wasmtime::{Config, Engine};

    use super::*;

    /// On a thread of its own: what is taken from it stays with the others.
    fn confined<T: Send + 'static>(work: impl FnOnce(Confinement) -> T + Send + 'static) -> T {
        thread::spawn(move || work(confine())).join().unwrap()
    }

    #[test]
    fn files_networks_and_processes_are_gone() {
        confined(|held| {
            assert!(held.seccomp);
            let refused = |error: std::io::Error| assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
            refused(fs::read("/etc/passwd").unwrap_err());
            refused(fs::write("/tmp/santokit-confined", b"x").unwrap_err());
            refused(TcpListener::bind("127.0.0.1:0").unwrap_err());
            refused(Command::new("/bin/true").spawn().unwrap_err());
        });
        // The other threads of this process go on.
        assert!(fs::read("/etc/passwd").is_ok());
    }

    #[test]
    fn landlock_alone_holds_files() {
        let held = thread::spawn(|| (linux::forbid_files(), fs::read("/etc/passwd").is_err())).join().unwrap();
        assert_eq!(held.0, held.1, "it says that it holds exactly where it does");
    }

    #[test]
    fn what_is_left_is_enough_to_compile() {
        let module =
            wat::parse_str("(component (core module (func (export \"f\") (result i32) i32.const 7)))").unwrap();
        let code = confined(move |_| {
            let more = thread::spawn(|| vec![1_u8; 64 << 20].len()).join().unwrap();
            assert_eq!(more, 64 << 20);
            let mut config = Config::new();
            config.gc_support(false).wasm_gc(false).wasm_function_references(false).wasm_exceptions(false);
            Engine::new(&config).unwrap().precompile_component(&module).unwrap()
        });
        assert!(!code.is_empty());
    }

    #[test]
    fn what_is_missing_has_a_name() {
        let named = |landlock, seccomp, nice| Confinement { landlock, seccomp, nice }.missing();
        assert_eq!(named(true, true, true), None);
        assert_eq!(named(false, true, true).as_deref(), Some("Landlock"));
        assert_eq!(named(true, false, true).as_deref(), Some("seccomp"));
        assert_eq!(named(true, true, false).as_deref(), Some("a lower priority"));
        assert_eq!(named(false, false, false).as_deref(), Some("Landlock and seccomp and a lower priority"));
    }
}
