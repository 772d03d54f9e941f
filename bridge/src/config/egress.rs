//! The settings of outbound requests of logics.

use std::path::PathBuf;

use super::{Network, Settings, read::Check};

/// Where logics may connect to, beyond the public internet. Only who runs a Bridge says it, never a release.
#[derive(Clone, Debug, Default)]
pub struct EgressConfig {
    /// Private and reserved networks that may be connected to.
    pub allow_private: Vec<Network>,
    /// Certificates of authorities, PEM, that are trusted besides those that the system trusts.
    pub ca_file: Option<PathBuf>,
}

impl Settings {
    pub(super) fn egress(&mut self, check: &mut Check) -> EgressConfig {
        EgressConfig {
            allow_private: check.list("egressAllowPrivate", self.egress_allow_private.take(), Network::parse),
            ca_file: self.egress_ca_file.take().map(|path| PathBuf::from(path.0)),
        }
    }
}
