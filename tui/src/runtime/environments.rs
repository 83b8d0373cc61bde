//! The environments that were opened.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use payops_core::operations::OpenEnvironment;
use payops_core::port::{ErrorKind, PortError, PortResult, Rollouts};

#[derive(Clone, Default)]
pub(super) struct OpenEnvironments(Arc<Mutex<HashMap<String, OpenEnvironment>>>);

impl OpenEnvironments {
    pub(super) fn insert(&self, env: &str, opened: OpenEnvironment) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(env.to_owned(), opened);
    }

    pub(super) fn get(&self, env: &str) -> PortResult<OpenEnvironment> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(env)
            .cloned()
            .ok_or_else(|| PortError::new(ErrorKind::Unavailable, format!("{env} is not open yet")))
    }

    pub(super) fn cluster(&self, env: &str, cluster: &str) -> PortResult<Arc<dyn Rollouts>> {
        find_cluster(&self.get(env)?, cluster)
    }
}

pub(super) fn find_cluster(env: &OpenEnvironment, name: &str) -> PortResult<Arc<dyn Rollouts>> {
    env.clusters
        .iter()
        .find(|rollouts| rollouts.cluster() == name)
        .cloned()
        .ok_or_else(|| {
            PortError::new(
                ErrorKind::NotFound,
                format!("cluster {name} does not exist"),
            )
        })
}
