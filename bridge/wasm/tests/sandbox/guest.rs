//! Makes components of the core modules under `tests/guests/`, as `wit-component` does for every toolchain.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::{PackageId, Resolve};

/// Interfaces that guests here import and that are not in `wit/`. WASI as its own WIT has it, no more than is used.
const OUTSIDE: &str = "
package test:outside;

world guest {
    import wasi:cli/stdin@0.2.0;
    import wasi:cli/stdout@0.2.0;
    import wasi:cli/exit@0.2.0;
    import wasi:clocks/wall-clock@0.2.0;
    import wasi:clocks/monotonic-clock@0.2.0;
    import wasi:random/random@0.2.0;
    import wasi:sockets/udp-create-socket@0.2.0;
    import wasi:sockets/tcp-create-socket@0.2.0;
    import wasi:http/types@0.2.0;
    import wasi:http/outgoing-handler@0.2.0;
    import acme:rocket/launch@1.0.0;
    import santokit:runtime/log@0.2.0;
    include santokit:logic/logic@0.1.0;
}
interface things { resource thing; }
world with-things {
    include guest;
    export things;
}
world with-touching {
    include guest;
    export santokit-touch-pages: func(page: u32, count: u32, zero: u32);
    export santokit-sum-page: func(page: u32) -> u64;
}

package wasi:io@0.2.0 {
    interface error { resource error; }
    interface streams {
        use error.{error};
        variant stream-error { last-operation-failed(error), closed }
        resource input-stream {
            blocking-read: func(len: u64) -> result<list<u8>, stream-error>;
        }
        resource output-stream {
            write: func(contents: list<u8>) -> result<_, stream-error>;
            blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
        }
    }
}
package wasi:random@0.2.0 {
    interface random { get-random-bytes: func(len: u64) -> list<u8>; }
}
package wasi:sockets@0.2.0 {
    interface network {
        enum error-code {
            unknown, access-denied, not-supported, invalid-argument, out-of-memory, timeout, concurrency-conflict, not-in-progress, would-block,
            invalid-state, new-socket-limit, address-not-bindable, address-in-use, remote-unreachable, connection-refused, connection-reset,
            connection-aborted, datagram-too-large, name-unresolvable, temporary-resolver-failure, permanent-resolver-failure
        }
        enum ip-address-family { ipv4, ipv6 }
    }
    interface udp { resource udp-socket; }
    interface tcp { resource tcp-socket; }
    interface udp-create-socket {
        use network.{error-code, ip-address-family};
        use udp.{udp-socket};
        create-udp-socket: func(address-family: ip-address-family) -> result<udp-socket, error-code>;
    }
    interface tcp-create-socket {
        use network.{error-code, ip-address-family};
        use tcp.{tcp-socket};
        create-tcp-socket: func(address-family: ip-address-family) -> result<tcp-socket, error-code>;
    }
}
package wasi:cli@0.2.0 {
    interface stdin {
        use wasi:io/streams@0.2.0.{input-stream};
        get-stdin: func() -> input-stream;
    }
    interface stdout {
        use wasi:io/streams@0.2.0.{output-stream};
        get-stdout: func() -> output-stream;
    }
    interface exit { exit: func(status: result); }
}
package wasi:clocks@0.2.0 {
    interface wall-clock {
        record datetime { seconds: u64, nanoseconds: u32 }
        now: func() -> datetime;
        resolution: func() -> datetime;
    }
    interface monotonic-clock {
        now: func() -> u64;
        resolution: func() -> u64;
    }
}
package wasi:http@0.2.0 {
    interface types {
        record DNS-error-payload { rcode: option<string>, info-code: option<u16> }
        record TLS-alert-received-payload { alert-id: option<u8>, alert-message: option<string> }
        record field-size-payload { field-name: option<string>, field-size: option<u32> }
        variant error-code {
            DNS-timeout, DNS-error(DNS-error-payload), destination-not-found, destination-unavailable, destination-IP-prohibited,
            destination-IP-unroutable, connection-refused, connection-terminated, connection-timeout, connection-read-timeout,
            connection-write-timeout, connection-limit-reached, TLS-protocol-error, TLS-certificate-error,
            TLS-alert-received(TLS-alert-received-payload), HTTP-request-denied, HTTP-request-length-required,
            HTTP-request-body-size(option<u64>), HTTP-request-method-invalid, HTTP-request-URI-invalid, HTTP-request-URI-too-long,
            HTTP-request-header-section-size(option<u32>), HTTP-request-header-size(option<field-size-payload>),
            HTTP-request-trailer-section-size(option<u32>), HTTP-request-trailer-size(field-size-payload), HTTP-response-incomplete,
            HTTP-response-header-section-size(option<u32>), HTTP-response-header-size(field-size-payload),
            HTTP-response-body-size(option<u64>), HTTP-response-trailer-section-size(option<u32>),
            HTTP-response-trailer-size(field-size-payload), HTTP-response-transfer-coding(option<string>),
            HTTP-response-content-coding(option<string>), HTTP-response-timeout, HTTP-upgrade-failed, HTTP-protocol-error, loop-detected,
            configuration-error, internal-error(option<string>)
        }
        resource fields { constructor(); }
        resource outgoing-request { constructor(headers: fields); }
        resource request-options;
        resource future-incoming-response;
    }
    interface outgoing-handler {
        use types.{outgoing-request, request-options, future-incoming-response, error-code};
        handle: func(request: outgoing-request, options: option<request-options>) -> result<future-incoming-response, error-code>;
    }
}
package acme:rocket@1.0.0 {
    interface launch { launch: func(); }
}
package santokit:runtime@0.2.0 {
    interface log { log: func(message: string); }
}
";

/// The component of `tests/guests/<name>.wat`.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests");
    let read = |name: &str| std::fs::read_to_string(folder.join(format!("{name}.wat"))).unwrap();
    let fields = read(name);
    // One with an allocator of its own needs nothing else; one that exports a resource says so by importing what makes its handles.
    let prelude = if fields.contains("\"cabi_realloc\"") { String::new() } else { read("prelude") };
    let world = match fields.as_str() {
        fields if fields.contains("[export]test:outside/things") => "with-things",
        fields if fields.contains("santokit-touch-pages") => "with-touching",
        _ => "guest",
    };
    module(&fields, &prelude, world)
}

/// A component whose core module has these fields.
fn module(fields: &str, prelude: &str, world: &str) -> Vec<u8> {
    let (resolve, package) = resolve();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = wat::parse_str(format!("(module {fields}\n{prelude})")).unwrap();
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

fn resolve() -> (Resolve, PackageId) {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let mut resolve = Resolve::default();
    for package in ["runtime", "sql", "queries", "crud", "http", "logics", "storage", "events", "logic"] {
        resolve.push_path(wit.join(package)).unwrap();
    }
    let package = resolve.push_str("outside.wit", OUTSIDE).unwrap();
    (resolve, package)
}
