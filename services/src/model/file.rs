//! The model's file: JSON, `docs/formats/fraud-model.md`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{FraudModel, MODEL_VERSION};
use crate::error::Error;

/// The version of the format, not of the model.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct File<M> {
    format: u32,
    model: M,
}

fn path(directory: &Path) -> PathBuf {
    directory.join("fraud-model.json")
}

/// `None` where there is no file, or none that can be used.
pub(super) fn load(directory: &Path) -> Result<Option<FraudModel>, Error> {
    let path = path(directory);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == ErrorKind::InvalidData => String::new(),
        Err(source) => return Err(Error::ModelFile { path, source }),
    };
    match serde_json::from_str::<File<FraudModel>>(&text) {
        Ok(File { format: FORMAT, model })
            if model.version == MODEL_VERSION && model.is_sound() =>
        {
            Ok(Some(model))
        }
        Ok(_) => {
            tracing::warn!(path = %path.display(), "Model file is of another version, training anew");
            Ok(None)
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "Model file is damaged, training anew");
            Ok(None)
        }
    }
}

/// Writes a temporary file and renames it, so that there is never half a model.
pub(super) fn save(directory: &Path, model: &FraudModel) -> Result<(), Error> {
    let path = path(directory);
    let temporary = directory.join(format!("fraud-model.json.{}.tmp", std::process::id()));
    let text = serde_json::to_string_pretty(&File { format: FORMAT, model })
        .expect("numbers and text are always JSON");
    std::fs::create_dir_all(directory)
        .and_then(|()| std::fs::write(&temporary, text))
        .and_then(|()| std::fs::rename(&temporary, &path))
        .map_err(|source| Error::ModelFile { path: path.clone(), source })?;
    tracing::info!(path = %path.display(), model_version = model.version, "Model saved");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_the_same_after_saving_and_loading() {
        let directory = tempfile::tempdir().unwrap();
        let model = FraudModel::load_or_train(directory.path(), 1).unwrap();
        assert_eq!(load(directory.path()).unwrap().as_ref(), Some(&model));
        assert_eq!(FraudModel::load_or_train(directory.path(), 2).unwrap(), model);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_not_loaded() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(load(directory.path()).unwrap(), None);
        for text in ["", "{", "{\"format\": 9, \"model\": {}}", "\u{0}"] {
            std::fs::write(path(directory.path()), text).unwrap();
            assert_eq!(load(directory.path()).unwrap(), None, "{text:?}");
        }
    }
}
