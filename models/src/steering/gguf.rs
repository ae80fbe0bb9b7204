//! The parts that a GGUF file is made of: numbers, texts and values, little-endian.
//!
//! The crates for GGUF only read it, bring a tensor library along, or are fifty times as long as what a control vector
//! needs of it. Errors are the rest of the sentence "FILE is no usable vector file: ...".

/// In bytes.
const LONGEST_TEXT: u64 = 64 << 10;

// The format's numbers for types of values and of tensors.
pub const U32: u32 = 4;
const TEXT: u32 = 8;
const ARRAY: u32 = 9;
pub const F32: u32 = 0;

/// A value of the metadata, as far as anything here asks for it.
pub enum Value<'a> {
    Text(&'a str),
    Number(u32),
    Other,
}

/// What is still to be read.
pub struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    pub fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn bytes(&self) -> &'a [u8] {
        self.0
    }

    pub fn take(&mut self, bytes: u64) -> Result<&'a [u8], String> {
        let (taken, rest) = usize::try_from(bytes)
            .ok()
            .and_then(|bytes| self.0.split_at_checked(bytes))
            .ok_or("it ends too early; copy it again")?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn u32(&mut self) -> Result<u32, String> {
        Ok(self.take(4)?.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte)))
    }

    pub fn u64(&mut self) -> Result<u64, String> {
        Ok(self.take(8)?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    pub fn count(&mut self, most: u64, what: &str) -> Result<u64, String> {
        let count = self.u64()?;
        if count > most {
            return Err(format!("it says it has {count} {what}, and the limit is {most}"));
        }
        Ok(count)
    }

    pub fn text(&mut self) -> Result<&'a str, String> {
        let length = self.count(LONGEST_TEXT, "bytes in one text")?;
        std::str::from_utf8(self.take(length)?).map_err(|_| "a text in it is not UTF-8".to_owned())
    }

    pub fn value(&mut self) -> Result<Value<'a>, String> {
        match self.u32()? {
            TEXT => Ok(Value::Text(self.text()?)),
            U32 => Ok(Value::Number(self.u32()?)),
            ARRAY => {
                let (kind, count) = (self.u32()?, self.u64()?);
                if kind == TEXT {
                    // Each takes 8 bytes at least, so the file's end stops a count that is wrong.
                    (0..count).try_for_each(|_| self.text().map(drop))?;
                } else {
                    let bytes = count.checked_mul(size(kind)?).ok_or("an array in it is too long")?;
                    self.take(bytes)?;
                }
                Ok(Value::Other)
            }
            kind => self.take(size(kind)?).map(|_| Value::Other),
        }
    }
}

/// Bytes of a value of fixed size.
fn size(kind: u32) -> Result<u64, String> {
    match kind {
        0 | 1 | 7 => Ok(1),
        2 | 3 => Ok(2),
        U32 | 5 | 6 => Ok(4),
        10..=12 => Ok(8),
        _ => Err(format!("a value in it is of type {kind}, which is unknown here")),
    }
}

pub fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

/// A key with a text.
pub fn put_entry(bytes: &mut Vec<u8>, key: &str, text: &str) {
    put_text(bytes, key);
    bytes.extend(TEXT.to_le_bytes());
    put_text(bytes, text);
}
