//! The Bridge's end of the compilers' processes: starts them, hands them components, ends them when they take too long, and says in the
//! words of a release what went wrong. One process compiles the components of one owner, one after the other, so that what they share
//! is compiled once, and so that no owner's component meets a compiler that another's has taken over. When nobody has asked for a while
//! it ends, and its memory with it.

use std::{
    io,
    path::Path,
    process::{ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::{WorkerConfig, confine::Confinement, worker};
use crate::engine::{LoadError, SandboxConfig};

/// A process that nobody asked for this long ends.
const IDLE_MAX: Duration = Duration::from_secs(10);
/// Nothing that a component could slow is done before a process says that it is there.
const START_MAX: Duration = Duration::from_secs(30);
/// Longest word of what a process is held to.
const CONFINEMENT_BYTES_MAX: u64 = 4 << 10;
/// Longest reason.
const REASON_BYTES_MAX: u64 = 64 << 10;

/// Processes that compile.
pub(super) struct Workers {
    config: WorkerConfig,
    order: Vec<u8>,
    /// The one that rested longest is first.
    idle: Arc<Mutex<Vec<Worker>>>,
    idle_max: usize,
    /// Whether it was said that the kernel lacks something.
    is_lack_told: AtomicBool,
}

struct Worker {
    /// Whose components it has seen.
    owner: String,
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    /// Which of its rests this is: an ending that was planned in an earlier one is void.
    rests: u64,
}

/// How an exchange ends without an answer.
enum Lost {
    /// The process is gone, or says what nobody expects.
    Ended(io::Error),
    /// It takes too long.
    Slow,
}

impl Workers {
    pub(super) fn new(config: WorkerConfig, sandbox: &SandboxConfig) -> Self {
        let order = worker::Order {
            debug_info: sandbox.debug_info,
            fuel: sandbox.fuel,
            functions_bytes_max: sandbox.compiled_bytes_max,
            memory_bytes_max: config.limits.memory_bytes_max as u64,
            cpu_seconds: config.limits.cpu.as_secs().max(1),
        };
        let order = serde_json::to_vec(&order).unwrap_or_default();
        let idle_max = sandbox.compiles_max.max(1);
        Self { config, order, idle: Arc::default(), idle_max, is_lack_told: AtomicBool::new(false) }
    }

    /// Machine code of a component.
    pub(super) async fn compile(&self, owner: &str, component: &[u8]) -> Result<Vec<u8>, LoadError> {
        let mut worker = match self.rested(owner) {
            Some(worker) => worker,
            None => self.start(owner).await?,
        };
        let exchanged = tokio::time::timeout(self.config.limits.timeout, worker.exchange(component)).await;
        match exchanged.unwrap_or(Err(Lost::Slow)) {
            Ok(answer) => {
                self.rest(worker);
                answer
            }
            Err(lost) => Err(self.end(worker, lost).await),
        }
    }

    /// One that has seen nobody else's.
    fn rested(&self, owner: &str) -> Option<Worker> {
        let mut idle = self.lock();
        let found = idle.iter().rposition(|worker| worker.owner == owner)?;
        Some(idle.remove(found))
    }

    async fn start(&self, owner: &str) -> Result<Worker, LoadError> {
        let failed = |error: io::Error| {
            LoadError::Host(format!("the compiler {} cannot be started: {error}", self.config.program.display()))
        };
        let mut command = Command::new(&self.config.program);
        command.args(&self.config.arguments).env_clear().current_dir(Path::new("/")).kill_on_drop(true);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(failed)?;
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed(io::Error::other("it has no pipes")));
        };
        write_block(&mut input, &self.order).await.map_err(failed)?;
        let mut worker = Worker { owner: owner.to_owned(), child, input, output, rests: 0 };
        match tokio::time::timeout(START_MAX, worker.confinement()).await.unwrap_or(Err(Lost::Slow)) {
            Ok(held) => self.tell_lack(held),
            Err(lost) => return Err(self.end(worker, lost).await),
        }
        Ok(worker)
    }

    /// Once: the kernel will be the same for the next one.
    fn tell_lack(&self, held: Confinement) {
        if let Some(missing) = held.missing()
            && !self.is_lack_told.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(%missing, "compilers run without {missing}, which this kernel lacks; their limits hold");
        }
    }

    /// Keeps a process for the next component, for a while.
    fn rest(&self, mut worker: Worker) {
        worker.rests += 1;
        let (process, rests) = (worker.child.id(), worker.rests);
        let mut idle = self.lock();
        idle.push(worker);
        // No more than compile at once, however many owners there are. Dropped is killed.
        let excess = idle.len().saturating_sub(self.idle_max);
        idle.drain(..excess);
        drop(idle);
        let idle = Arc::downgrade(&self.idle);
        tokio::spawn(async move {
            tokio::time::sleep(IDLE_MAX).await;
            if let Some(idle) = idle.upgrade() {
                let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
                // Dropped is killed.
                idle.retain(|worker| worker.child.id() != process || worker.rests != rests);
            }
        });
    }

    /// Why there is no answer. The process is gone afterwards.
    async fn end(&self, mut worker: Worker, lost: Lost) -> LoadError {
        let limits = &self.config.limits;
        let Lost::Ended(error) = lost else {
            worker.child.kill().await.ok();
            return LoadError::Compile(format!(
                "it takes the compiler longer than {:?}; split it, or raise the Bridge's `compileTimeout`",
                limits.timeout
            ));
        };
        drop(worker.input);
        let Ok(Ok(status)) = tokio::time::timeout(Duration::from_secs(5), worker.child.wait()).await else {
            return LoadError::Host(format!("the compiler does not answer: {error}"));
        };
        match Death::of(status) {
            Death::Cpu => LoadError::Compile(format!(
                "it takes the compiler more than {:?} of processor time; split it, or raise the Bridge's `compileCpu`",
                limits.cpu
            )),
            Death::Memory => LoadError::Compile(format!(
                "it takes the compiler more than {} MiB of memory; split it, or raise the Bridge's `compileMemory`",
                limits.memory_bytes_max >> 20
            )),
            Death::Other => LoadError::Host(format!("the compiler ended with {status}: {error}")),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker {
    /// What it is held to: its first word.
    async fn confinement(&mut self) -> Result<Confinement, Lost> {
        let length = self.output.read_u64_le().await.map_err(Lost::Ended)?;
        if length > CONFINEMENT_BYTES_MAX {
            return Err(Lost::Ended(io::Error::other("its first word is too long")));
        }
        let mut word = Vec::new();
        (&mut self.output).take(length).read_to_end(&mut word).await.map_err(Lost::Ended)?;
        serde_json::from_slice(&word).map_err(|error| Lost::Ended(error.into()))
    }

    async fn exchange(&mut self, component: &[u8]) -> Result<Result<Vec<u8>, LoadError>, Lost> {
        write_block(&mut self.input, component).await.map_err(Lost::Ended)?;
        let kind = self.output.read_u8().await.map_err(Lost::Ended)?;
        let length = self.output.read_u64_le().await.map_err(Lost::Ended)?;
        let length_max = if kind == worker::COMPILED { worker::CODE_BYTES_MAX } else { REASON_BYTES_MAX };
        if length > length_max {
            return Err(Lost::Ended(io::Error::other("its answer is too long")));
        }
        let mut answer = Vec::new();
        let read = (&mut self.output).take(length).read_to_end(&mut answer).await.map_err(Lost::Ended)?;
        if read as u64 != length {
            return Err(Lost::Ended(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(match kind {
            worker::COMPILED => Ok(answer),
            _ => Err(LoadError::Compile(String::from_utf8_lossy(&answer).into_owned())),
        })
    }
}

/// What ended a compiler.
enum Death {
    Cpu,
    Memory,
    Other,
}

impl Death {
    /// The kernel ends a process for its time with `SIGXCPU`; an allocation that fails ends a Rust program with `SIGABRT`, a stack that
    /// cannot grow or a kernel without memory with `SIGSEGV` or `SIGKILL`.
    fn of(status: ExitStatus) -> Self {
        use rustix::process::Signal;
        use std::os::unix::process::ExitStatusExt;

        match status.signal().and_then(Signal::from_named_raw) {
            Some(Signal::XCPU) => Self::Cpu,
            Some(Signal::ABORT | Signal::SEGV | Signal::KILL) => Self::Memory,
            _ => Self::Other,
        }
    }
}

async fn write_block(input: &mut ChildStdin, block: &[u8]) -> io::Result<()> {
    input.write_u64_le(block.len() as u64).await?;
    input.write_all(block).await?;
    input.flush().await
}
