//! The hub, and a model's files in its cache.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hf_hub::{Cache, Repo, RepoType};
use ureq::config::RedirectAuthHeaders;
use ureq::http::Response;
use ureq::{Agent, Body};

use super::download::{self, Source};
use super::file::RemoteFile;
use super::{HubError, Repository};

const ENDPOINT: &str = "https://huggingface.co";
/// Bytes of an answer about a model.
const LISTING_BYTES: u64 = 16 << 20;
/// Longest silence of a connection.
const SILENCE: Duration = Duration::from_secs(60);

/// A hub of models, and the folder its files are kept in.
pub struct Hub {
    endpoint: String,
    token: Option<String>,
    cache: Cache,
    agent: Agent,
}

/// How far a download is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The file in work.
    pub file: &'a str,
    /// Bytes that are there, of all files.
    pub done: u64,
    /// Bytes of all files.
    pub total: u64,
}

impl Hub {
    /// The hub as the environment names it, as Python's `huggingface_hub` reads it: `HF_ENDPOINT`, `HF_TOKEN` or the
    /// file `token` in `HF_HOME`, and the cache in `HF_HOME`, by default `~/.cache/huggingface`.
    #[must_use]
    pub fn from_env() -> Self {
        let set = |name| env::var(name).ok().filter(|value| !value.trim().is_empty());
        let cache = Cache::from_env();
        let token = set("HF_TOKEN").map(|token| token.trim().to_owned()).or_else(|| cache.token());
        let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned());
        Self::new(&endpoint, cache.path(), token)
    }

    /// The hub at `endpoint`, whose files are kept in folder `cache`.
    #[must_use]
    pub fn new(endpoint: &str, cache: &Path, token: Option<String>) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // Files are handed out by other hosts, which the token does not concern.
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .timeout_connect(Some(SILENCE))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .user_agent(concat!("tiller/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            token,
            cache: Cache::new(cache.to_owned()),
            agent,
        }
    }

    /// Where people read about the model.
    #[must_use]
    pub fn page(&self, repository: &Repository) -> String {
        format!("{}/{}", self.endpoint, repository.id)
    }

    /// Asks for the model `id` at `revision`, a branch, tag, commit or `refs/pr/N`. Nothing is fetched yet.
    ///
    /// # Errors
    /// [`HubError`] if the hub cannot be reached or does not give the model, or the model holds no safetensors.
    pub fn repository(&self, id: &str, revision: &str) -> Result<Repository, HubError> {
        let repo = Repo::with_revision(id.to_owned(), RepoType::Model, revision.to_owned());
        let url = format!("{}/api/{}?blobs=true", self.endpoint, repo.api_url());
        let unreachable =
            |error: ureq::Error| HubError::Unreachable { url: url.clone(), reason: error.to_string() };
        let mut answer = self.get(&url, None).map_err(unreachable)?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(self.refusal(id, revision, &url, status));
        }
        let body = answer.body_mut().with_config().limit(LISTING_BYTES).read_to_vec().map_err(unreachable)?;
        Repository::parse(&body, &url, &self.endpoint, id, revision)
    }

    /// Fetches what says what the model is, everything but the weights, and returns the folder it is in.
    ///
    /// # Errors
    /// [`HubError`] if the hub cannot be reached, a file does not arrive or is another than the hub states.
    pub fn fetch_description(&self, repository: &Repository) -> Result<PathBuf, HubError> {
        self.fetch(repository, &repository.description, &mut |_| {})
    }

    /// Fetches the weights too, and returns the folder that then is a whole checkpoint. What is in the cache already is
    /// checked and not fetched; what an earlier call fetched a part of is gone on with.
    ///
    /// # Errors
    /// [`HubError`] if there is no room, the hub cannot be reached, or a file does not arrive or is another than the hub
    /// states.
    pub fn fetch_all(
        &self,
        repository: &Repository,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<PathBuf, HubError> {
        self.check_room(repository)?;
        let files: Vec<RemoteFile> = repository.files().cloned().collect();
        let folder = self.fetch(repository, &files, progress)?;
        let repo = Repo::with_revision(repository.id.clone(), RepoType::Model, repository.revision.clone());
        // So that other programs find it offline.
        self.cache.repo(repo).create_ref(&repository.commit).map_err(HubError::storing(&folder))?;
        Ok(folder)
    }

    fn fetch(
        &self,
        repository: &Repository,
        files: &[RemoteFile],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<PathBuf, HubError> {
        // Of the commit, so that all files belong together even if the branch moves on meanwhile.
        let repo = Repo::with_revision(repository.id.clone(), RepoType::Model, repository.commit.clone());
        let kept = self.cache.repo(repo.clone());
        let folder = kept.pointer_path(&repository.commit);
        fs::create_dir_all(&folder).map_err(HubError::storing(&folder))?;
        let total = files.iter().map(|file| file.size).sum();
        let mut before = 0;
        for file in files {
            let mut progress = |done| progress(Progress { file: &file.name, done: before + done, total });
            progress(0);
            let blob = kept.blob_path(file.hash.digits());
            if !is_intact(file, &blob) {
                let url =
                    format!("{}/{}/resolve/{}/{}", self.endpoint, repo.url(), repo.url_revision(), file.name);
                let source = Source {
                    get: &|from| self.get(&url, from),
                    refusal: &|status| self.refusal(&repository.id, &repository.revision, &url, status),
                };
                download::download(&source, file, &blob, &mut progress)?;
            }
            let place = folder.join(&file.name);
            link(&blob, &place).map_err(HubError::storing(&place))?;
            progress(file.size);
            before += file.size;
        }
        Ok(folder)
    }

    /// Whether the disk has room for what is not in the cache yet.
    fn check_room(&self, repository: &Repository) -> Result<(), HubError> {
        let repo = Repo::new(repository.id.clone(), RepoType::Model);
        let kept = self.cache.repo(repo);
        let size = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
        let missing = |file: &RemoteFile| {
            let blob = kept.blob_path(file.hash.digits());
            file.size.saturating_sub(size(&blob).max(size(&download::part(&blob))))
        };
        let needed: u64 = repository.files().map(missing).sum();
        let folder = self.cache.path();
        fs::create_dir_all(folder).map_err(HubError::storing(folder))?;
        let free = fs4::available_space(folder).map_err(HubError::storing(folder))?;
        if needed > free {
            let gigabytes = |bytes: u64| bytes as f64 / 1e9;
            let (free, needed) = (gigabytes(free), gigabytes(needed));
            return Err(HubError::DiskFull { folder: folder.clone(), free, needed });
        }
        Ok(())
    }

    /// Asks for `url`, or for its bytes `from` on.
    fn get(&self, url: &str, from: Option<u64>) -> Result<Response<Body>, ureq::Error> {
        let mut request = self.agent.get(url).header("Accept-Encoding", "identity");
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if let Some(from) = from {
            request = request.header("Range", format!("bytes={from}-"));
        }
        request.call()
    }

    /// What a status other than success means.
    fn refusal(&self, id: &str, revision: &str, url: &str, status: u16) -> HubError {
        let (id, endpoint) = (id.to_owned(), self.endpoint.clone());
        match status {
            401 => HubError::NotLoggedIn { id, endpoint },
            403 => HubError::Forbidden { id, endpoint },
            404 => HubError::NotFound { id, revision: revision.to_owned(), endpoint },
            _ => HubError::Status { url: url.to_owned(), status },
        }
    }
}

/// Whether `path` is this file; what cannot be read is fetched anew.
fn is_intact(file: &RemoteFile, path: &Path) -> bool {
    file.is(path).unwrap_or(false)
}

/// Makes `place` another name of `blob`, as the hub's cache has it.
fn link(blob: &Path, place: &Path) -> io::Result<()> {
    if fs::symlink_metadata(place).is_ok() {
        fs::remove_file(place)?;
    }
    let blob_name = blob.file_name().unwrap_or_default();
    let relative = Path::new("../../blobs").join(blob_name);
    #[cfg(unix)]
    return std::os::unix::fs::symlink(relative, place);
    // Windows lets few people make symbolic links.
    #[cfg(windows)]
    return std::os::windows::fs::symlink_file(relative, place).or_else(|_| fs::hard_link(blob, place));
}
