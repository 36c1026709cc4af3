//! The bus of a single node: a list of listeners in this process. Nothing leaves the machine.

use std::sync::{Arc, PoisonError, RwLock};

use crate::bus::{Bus, Listener, Notice};

/// Calls each listener in turn.
#[derive(Default)]
pub struct LocalBus {
    listeners: RwLock<Arc<Vec<Arc<dyn Listener>>>>,
}

impl Bus for LocalBus {
    fn publish(&self, notice: Arc<Notice>) {
        let listeners = Arc::clone(&self.listeners.read().unwrap_or_else(PoisonError::into_inner));
        for listener in listeners.iter() {
            listener.hear(&notice);
        }
    }

    fn attach(&self, listener: Arc<dyn Listener>) {
        let mut listeners = self.listeners.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut listeners).push(listener);
    }
}
