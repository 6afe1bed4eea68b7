//! Keeping the objects in one file.
//!
//! Every request's writes are one transaction that is on disk before the answer goes out, so what was
//! acknowledged survives a kill at any moment. The history is not kept: after a restart, watches of
//! older versions begin anew with `410 Expired`. The server's own keys are beside the objects, so that kubeconfigs
//! and tokens hold after a restart: the file is as secret as they are.

use std::{path::Path, sync::Arc};

use lockstep_object::{Object, from_json, to_json};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use crate::{
    sandbox::StartError,
    store::{Name, Store, Write},
};

/// From `store`, namespace and name (with NUL between) to version and JSON.
const OBJECTS: TableDefinition<'_, &str, (u64, &[u8])> = TableDefinition::new("objects");
/// The version of the last write.
const VERSION: TableDefinition<'_, &str, u64> = TableDefinition::new("version");

/// What the server proves who it is with; by name.
const SECRETS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("secrets");

/// The file.
pub(crate) struct Keep(Database);

fn failed(error: impl std::fmt::Display) -> StartError {
    StartError(format!("the file with the objects: {error}"))
}

fn key(store: &str, name: &Name) -> String {
    format!("{store}\0{}\0{}", name.namespace, name.name)
}

impl Keep {
    /// Opens the file, or makes it.
    pub(crate) fn open(path: &Path) -> Result<Self, StartError> {
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        // Secrets are for the owner's eyes.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(failed)?;
        let database = Database::builder().create_file(file).map_err(failed)?;
        let transaction = database.begin_write().map_err(failed)?;
        transaction.open_table(OBJECTS).map_err(failed)?;
        transaction.open_table(VERSION).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(Self(database))
    }

    /// Returns a secret of the server as it was first made.
    pub(crate) fn secret(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Vec<u8>, StartError>,
    ) -> Result<Vec<u8>, StartError> {
        let transaction = self.0.begin_write().map_err(failed)?;
        let secret = {
            let mut secrets = transaction.open_table(SECRETS).map_err(failed)?;
            let known = secrets.get(name).map_err(failed)?.map(|value| value.value().to_vec());
            match known {
                Some(known) => known,
                None => {
                    let made = make()?;
                    secrets.insert(name, made.as_slice()).map_err(failed)?;
                    made
                }
            }
        };
        transaction.commit().map_err(failed)?;
        Ok(secret)
    }

    /// Puts everything that the file holds into the store. Returns how many objects that were.
    pub(crate) fn load(&self, store: &mut Store) -> Result<usize, StartError> {
        let transaction = self.0.begin_read().map_err(failed)?;
        let objects = transaction.open_table(OBJECTS).map_err(failed)?;
        let mut count = 0;
        for entry in objects.iter().map_err(failed)? {
            let (key, value) = entry.map_err(failed)?;
            let (version, json) = value.value();
            let folder: Arc<str> = key.value().split('\0').next().unwrap_or_default().into();
            let object = Object::try_from(from_json(json).map_err(failed)?).map_err(failed)?;
            store.restore(&folder, object, version);
            count += 1;
        }
        let versions = transaction.open_table(VERSION).map_err(failed)?;
        let version = versions.get("last").map_err(failed)?.map(|value| value.value());
        if let Some(version) = version {
            store.forget_history(version);
        }
        Ok(count)
    }

    /// Writes what changed, durably.
    pub(crate) fn write(&self, writes: &[Write]) -> Result<(), StartError> {
        let transaction = self.0.begin_write().map_err(failed)?;
        {
            let mut objects = transaction.open_table(OBJECTS).map_err(failed)?;
            let mut versions = transaction.open_table(VERSION).map_err(failed)?;
            for write in writes {
                let key = key(&write.store, &write.name);
                match &write.stored {
                    Some(stored) => {
                        let json = to_json(&stored.object.to_value());
                        objects.insert(key.as_str(), (stored.version, json.as_bytes())).map_err(failed)?;
                    }
                    None => {
                        objects.remove(key.as_str()).map_err(failed)?;
                    }
                }
                versions.insert("last", write.version).map_err(failed)?;
            }
        }
        transaction.commit().map_err(failed)
    }
}
