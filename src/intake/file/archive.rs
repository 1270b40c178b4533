//! ZIP: each member is unpacked into a file without a name and then read like any other. Refuses an
//! archive inside an archive, and a member that is larger than any day's work.

use std::fs::File;
use std::io::{BufReader, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use zip::ZipArchive;
use zip::result::ZipError;

use super::encoding::Encoding;
use super::{BUFFER_BYTES, FileError, Form, ReadError};

/// The most that a member may hold: some five million settlements. An archive of a few kilobytes
/// can claim to hold petabytes, so this keeps it from filling the disk.
const MEMBER_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// An archive and those of its members that can be read.
pub(super) struct Archive {
    file: Arc<str>,
    zip: ZipArchive<BufReader<File>>,
    /// What comes next, the last one first.
    members: Vec<Member>,
    bytes_max: u64,
}

struct Member {
    index: usize,
    name: Arc<str>,
    form: Form,
}

impl Archive {
    /// Reads which members there are. `is_in_folder` says that other files may have members of the
    /// same names.
    pub(super) fn open(
        file: Arc<str>,
        from: File,
        is_in_folder: bool,
    ) -> Result<Archive, ReadError> {
        let wrong = |problem: &str| ReadError::Input(vec![FileError::of(&file, problem)]);
        let reader = BufReader::with_capacity(BUFFER_BYTES, from);
        let mut zip = ZipArchive::new(reader).map_err(|_| wrong("is no ZIP, or damaged"))?;
        let mut members = Vec::new();
        let mut problems = Vec::new();
        for index in 0..zip.len() {
            let member = zip.by_index_raw(index).map_err(|_| wrong("is damaged"))?;
            if member.is_dir() {
                continue;
            }
            let Some(name) = name_of(member.name_raw()) else {
                problems.push(FileError::of(&file, "has a member whose name is no text"));
                continue;
            };
            // What systems put beside files is hidden, too.
            if name.split('/').any(|part| part.starts_with('.') || part == "__MACOSX") {
                continue;
            }
            let Some(form) = Form::of_name(&name) else { continue };
            let name = if is_in_folder { format!("{file}/{name}") } else { name };
            let name: Arc<str> = name.into();
            if form == Form::Zip {
                problems.push(FileError::of(&name, "is an archive in an archive: unpack it"));
            } else if member.encrypted() {
                problems.push(FileError::of(&name, "is encrypted: pack it without a password"));
            }
            members.push(Member { index, name, form });
        }
        if !problems.is_empty() {
            return Err(ReadError::Input(problems));
        }
        if members.is_empty() {
            return Err(wrong("has no member that can be read: *.ndjson, *.jsonl, *.json, *.csv"));
        }
        members.sort_by(|one, other| other.name.cmp(&one.name));
        Ok(Archive { file, zip, members, bytes_max: MEMBER_BYTES_MAX })
    }

    /// Unpacks the next member.
    pub(super) fn next(
        &mut self,
        spool: &Path,
    ) -> Result<Option<(Arc<str>, Form, File)>, ReadError> {
        let Some(Member { index, name, form }) = self.members.pop() else { return Ok(None) };
        let file = self.unpack(index, &name, spool)?;
        Ok(Some((name, form, file)))
    }

    fn unpack(&mut self, index: usize, name: &Arc<str>, spool: &Path) -> Result<File, ReadError> {
        let wrong = |problem: String| ReadError::Input(vec![FileError::of(name, problem)]);
        let mut member = self.zip.by_index(index).map_err(|error| {
            wrong(match error {
                ZipError::CompressionMethodNotSupported(_) | ZipError::UnsupportedArchive(_) => {
                    "is packed in a way other than deflate".to_owned()
                }
                _ => format!("is damaged in {}", self.file),
            })
        })?;
        let mut file = tempfile::tempfile_in(spool).map_err(ReadError::Spool)?;
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut bytes = 0;
        loop {
            let read = member.read(&mut buffer);
            let count = read.map_err(|_| wrong("is damaged: pack it again".to_owned()))?;
            if count == 0 {
                break;
            }
            bytes += count as u64;
            if self.bytes_max < bytes {
                let max = self.bytes_max;
                return Err(wrong(format!("has more than {max} bytes: pack it in parts")));
            }
            file.write_all(&buffer[..count]).map_err(ReadError::Spool)?;
        }
        file.rewind().map_err(ReadError::Spool)?;
        Ok(file)
    }
}

/// Chinese systems pack names in the encoding of their own without a word of it.
fn name_of(raw: &[u8]) -> Option<String> {
    let text = Encoding::Utf8.text(raw).or_else(|| Encoding::Gb18030.text(raw))?;
    Some(text.replace('\\', "/"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    fn packed(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in members {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn open(bytes: &[u8]) -> Result<Archive, String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        Archive::open("a.zip".into(), file, true).map_err(|error| error.to_string())
    }

    fn told(bytes: &[u8]) -> String {
        let mut archive = match open(bytes) {
            Ok(archive) => archive,
            Err(told) => return told,
        };
        let mut told = String::new();
        loop {
            match archive.next(&std::env::temp_dir()) {
                Ok(Some((name, _, mut file))) => {
                    let mut text = String::new();
                    file.read_to_string(&mut text).unwrap();
                    told = format!("{told}{name}={text} ");
                }
                Ok(None) => return told,
                Err(error) => return told + &error.to_string(),
            }
        }
    }

    #[test]
    fn members_come_in_the_order_of_their_names() {
        let members: [(&str, &[u8]); 6] = [
            ("b/z.csv", b"3"),
            ("b.json", b"2"),
            ("a.ndjson", b"1"),
            ("notes.txt", b"x"),
            ("__MACOSX/a.csv", b"x"),
            ("b/.x.csv", b"x"),
        ];
        assert_eq!(told(&packed(&members)), "a.zip/a.ndjson=1 a.zip/b.json=2 a.zip/b/z.csv=3 ");
    }

    #[test]
    fn names_of_another_encoding_are_read() {
        let (name, ..) = encoding_rs::GB18030.encode("结算.csv");
        assert_eq!(name_of(&name).unwrap(), "结算.csv");
        assert_eq!(name_of("结算.csv".as_bytes()).unwrap(), "结算.csv");
        assert_eq!(name_of(b"\xff.csv"), None);
    }

    #[test]
    fn what_cannot_be_unpacked_is_named() {
        assert_eq!(told(b"PK no"), "a.zip: is no ZIP, or damaged");
        let nested = packed(&[("in.zip", b"x")]);
        assert_eq!(told(&nested), "a.zip/in.zip: is an archive in an archive: unpack it");
        assert!(told(&packed(&[("x.txt", b"x")])).contains("has no member that can be read"));
        let content = b"the same words again, the same words again, and once more";
        let good = packed(&[("a.csv", content)]);
        // One bit of the packed bytes, and the sign of a password in both headers.
        let mut damaged = good.clone();
        damaged[30 + "a.csv".len() + 8] ^= 0x10;
        assert!(told(&damaged).starts_with("a.zip/a.csv: is damaged"), "{}", told(&damaged));
        let mut encrypted = good.clone();
        let central = good.windows(4).position(|it| it == b"PK\x01\x02").unwrap();
        encrypted[6] |= 1;
        encrypted[central + 8] |= 1;
        assert_eq!(told(&encrypted), "a.zip/a.csv: is encrypted: pack it without a password");
        let mut archive = open(&good).unwrap();
        archive.bytes_max = 10;
        let error = archive.next(&std::env::temp_dir()).err().unwrap().to_string();
        assert_eq!(error, "a.zip/a.csv: has more than 10 bytes: pack it in parts");
    }
}
