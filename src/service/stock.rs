//! How much there is: what an operator watches grow. Walks the store, so whoever asks often keeps the answer for a while.

use crate::domain::refusal::Refusal;
use crate::service::Service;
use crate::system::meter::{Meter, Stock};

impl Service {
    /// Counts what there is now.
    pub async fn stock(&self) -> Result<Stock, Refusal> {
        let alarms_pending = self.store.count_due().await? + self.belfry.count() as u64;
        let kv = self.store.kv().clone();
        // It asks the file system, which may take its time.
        let bytes = tokio::task::spawn_blocking(move || kv.disk_bytes()).await;
        let store_bytes = bytes.map_err(|_| self.fault("the size of the store could not be taken"))?;
        Ok(Stock { alarms_pending, store_bytes })
    }

    pub fn meter(&self) -> &dyn Meter {
        &*self.meter
    }
}
