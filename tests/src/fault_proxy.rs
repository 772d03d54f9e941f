//! A proxy in front of a server that does to a connection what networks and crashes do: it cuts, it stalls, it refuses. The server
//! behind it is left alone, so that it can be one that others use as well.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// A proxy. Its connections end when it is dropped.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    target: String,
    fault: Arc<watch::Sender<Fault>>,
    accepted: Arc<AtomicUsize>,
    passing: Passing,
    /// None while nobody listens.
    accepting: Option<JoinHandle<()>>,
}

/// Connections with the number of cuts before each.
type Passing = Arc<Mutex<Vec<(usize, JoinHandle<()>)>>>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fault {
    /// Connections stay, and nothing passes.
    stalled: bool,
    /// Raised, it ends all connections that were made before.
    cuts: usize,
}

impl FaultProxy {
    /// In front of `host:port`.
    pub async fn start(target: String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut proxy = Self {
            address: listener.local_addr()?,
            target,
            fault: Arc::new(watch::Sender::default()),
            accepted: Arc::default(),
            passing: Passing::default(),
            accepting: None,
        };
        proxy.accept(listener);
        Ok(proxy)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has taken so far.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Ends all connections at once, in the middle of whatever they are in; returns when none is left.
    pub async fn cut(&self) {
        self.begin_cut();
        let cuts = self.fault.borrow().cuts;
        let before: Vec<_> = {
            let mut passing = self.passing.lock().unwrap_or_else(PoisonError::into_inner);
            passing.extract_if(.., |(before, _)| *before < cuts).collect()
        };
        for (_, task) in before {
            drop(task.await);
        }
    }

    fn begin_cut(&self) {
        self.fault.send_modify(|fault| fault.cuts += 1);
    }

    /// From now on nothing passes, in either direction, and nobody is told. New connections are taken and left alone.
    pub fn stall(&self) {
        self.fault.send_modify(|fault| fault.stalled = true);
    }

    /// What was held back passes.
    pub fn resume(&self) {
        self.fault.send_modify(|fault| fault.stalled = false);
    }

    /// Ends all connections and refuses new ones, as a machine does whose server is not there.
    pub async fn refuse(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            // The socket is closed once the task has ended.
            drop(accepting.await);
        }
        self.cut().await;
    }

    /// Takes connections again, at the same address.
    pub async fn accept_again(&mut self) -> Result<()> {
        let listener = TcpListener::bind(self.address).await?;
        self.accept(listener);
        Ok(())
    }

    fn accept(&mut self, listener: TcpListener) {
        let (target, fault, accepted) = (self.target.clone(), Arc::clone(&self.fault), Arc::clone(&self.accepted));
        let passing = Arc::clone(&self.passing);
        self.accepting = Some(tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::Relaxed);
                let fault = fault.subscribe();
                let cuts = fault.borrow().cuts;
                let mut passing = passing.lock().unwrap_or_else(PoisonError::into_inner);
                passing.retain(|(_, task)| !task.is_finished());
                passing.push((cuts, tokio::spawn(pass(client, target.clone(), fault, cuts))));
            }
        }));
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
        self.begin_cut();
    }
}

async fn pass(client: TcpStream, target: String, fault: watch::Receiver<Fault>, cuts: usize) {
    let is_cut = {
        let mut fault = fault.clone();
        async move { drop(fault.wait_for(|fault| fault.cuts > cuts).await) }
    };
    let passing = async {
        let Ok(server) = TcpStream::connect(target).await else { return };
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        // Whichever side ends, the other sees the end as well.
        tokio::select! {
            () = copy(from_client, to_server, fault.clone()) => {}
            () = copy(from_server, to_client, fault.clone()) => {}
        }
    };
    tokio::select! { () = passing => {} () = is_cut => {} }
}

async fn copy(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut fault: watch::Receiver<Fault>,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if fault.wait_for(|fault| !fault.stalled).await.is_err() || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
