//! A file of a repository: its size and hash as the hub states them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::bundle::hexadecimal;

/// A file that can be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its name in the repository's root.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// What its bytes must give.
    pub hash: Hash,
}

/// The hash by which the hub knows a file, hexadecimal in lower case; also the name of its bytes in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256 of a large file.
    Sha256(String),
    /// Git's SHA-1 of a small one.
    GitBlob(String),
}

impl Hash {
    /// The digits.
    pub fn digits(&self) -> &str {
        match self {
            Self::Sha256(digits) | Self::GitBlob(digits) => digits,
        }
    }

    /// Whether these are such digits: what is no hash must not become the name of a file.
    pub fn is_valid(&self) -> bool {
        let length = match self {
            Self::Sha256(_) => 64,
            Self::GitBlob(_) => 40,
        };
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        self.digits().len() == length && self.digits().bytes().all(is_digit)
    }
}

impl RemoteFile {
    /// Whether the file at `path` is this one, to the byte.
    pub fn is(&self, path: &Path) -> io::Result<bool> {
        let file = File::open(path)?;
        if file.metadata()?.len() != self.size {
            return Ok(false);
        }
        let found = match &self.hash {
            Hash::Sha256(_) => digest(Sha256::new(), file)?,
            Hash::GitBlob(_) => {
                digest(Sha1::new_with_prefix(format!("blob {}\0", self.size).as_bytes()), file)?
            }
        };
        Ok(found == self.hash.digits())
    }
}

fn digest(mut hasher: impl Digest, mut file: File) -> io::Result<String> {
    let mut block = vec![0; 1 << 20];
    loop {
        match file.read(&mut block)? {
            0 => return Ok(hexadecimal(&hasher.finalize())),
            count => hasher.update(&block[..count]),
        }
    }
}
