// SPDX-License-Identifier: GPL-2.0

//! The first message of a client, which agrees on the version.

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::wire::Fields;
use super::{MAX_DATA, MAX_FDS, Refusal};
use crate::abi::limits::PAGE_SIZE;

const MAJOR: u16 = 0;
const MINOR: u16 = 0;

/// The capabilities of a client that matter here.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct Client {
    max_msg_fds: u32,
}

impl Default for Client {
    fn default() -> Self {
        Self { max_msg_fds: 1 }
    }
}

/// The capabilities of this server. There is no migration.
#[derive(Serialize)]
struct Server {
    max_msg_fds: usize,
    max_data_xfer_size: usize,
    pgsizes: u64,
}

/// The JSON behind the version.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Data<T> {
    capabilities: T,
}

/// The outcome of an agreement on the version.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Agreement {
    /// The client takes a descriptor with a reply.
    pub(super) takes_fd: bool,
}

/// Reads a client's version and capabilities, and appends those of the server to the reply.
pub(super) fn agree(message: &[u8], reply: &mut Vec<u8>) -> Result<Agreement, Refusal> {
    let mut fields = Fields(message);
    let (major, minor) = (fields.u16()?, fields.u16()?);
    if major != MAJOR {
        return Err(Refusal::new(
            Errno::PROTONOSUPPORT,
            format!("version {major}.{minor} of the protocol is not {MAJOR}.{MINOR}"),
        ));
    }
    let client = capabilities(fields.rest())?;
    reply.extend(MAJOR.to_ne_bytes());
    // The lowest that there is, so never more than the client's.
    reply.extend(MINOR.to_ne_bytes());
    let server = Data {
        capabilities: Server {
            max_msg_fds: MAX_FDS,
            max_data_xfer_size: MAX_DATA,
            pgsizes: PAGE_SIZE,
        },
    };
    serde_json::to_writer(&mut *reply, &server)
        .map_err(|error| Refusal::new(Errno::IO, error.to_string()))?;
    reply.push(0);
    Ok(Agreement {
        takes_fd: client.max_msg_fds != 0,
    })
}

/// The capabilities of a client: JSON that ends with a NUL, or nothing.
fn capabilities(data: &[u8]) -> Result<Client, Refusal> {
    if data.is_empty() {
        return Ok(Client::default());
    }
    let json = data
        .strip_suffix(&[0])
        .ok_or_else(|| Refusal::invalid("capabilities without a NUL at their end"))?;
    let data: Data<Client> = serde_json::from_slice(json)
        .map_err(|error| Refusal::invalid(format!("capabilities that are not JSON: {error}")))?;
    Ok(data.capabilities)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(major: u16, json: &[u8]) -> Result<(Agreement, Vec<u8>), Errno> {
        let mut bytes = major.to_ne_bytes().to_vec();
        bytes.extend(1u16.to_ne_bytes());
        bytes.extend(json);
        let mut reply = Vec::new();
        agree(&bytes, &mut reply)
            .map(|agreement| (agreement, reply))
            .map_err(|refusal| refusal.errno)
    }

    #[test]
    fn agreements() {
        for (json, takes_fd) in [
            (&b""[..], true),
            (b"{}\0", true),
            (
                b"{\"capabilities\":{\"max_msg_fds\":8,\"other\":[]}}\0",
                true,
            ),
            (b"{\"capabilities\":{\"max_msg_fds\":0}}\0", false),
        ] {
            let (agreement, reply) = message(0, json).unwrap();
            assert_eq!(agreement, Agreement { takes_fd });
            assert_eq!(reply[..4], [0; 4], "version 0.0");
            let text = std::str::from_utf8(&reply[4..]).unwrap();
            let text = text.strip_suffix('\0').unwrap();
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            let capabilities = value["capabilities"].as_object().unwrap();
            assert_eq!(capabilities["max_data_xfer_size"], 1 << 20);
            assert_eq!(capabilities["max_msg_fds"], 16);
            assert_eq!(capabilities["pgsizes"], 4096);
            assert!(!capabilities.contains_key("migration"));
        }
    }

    #[test]
    fn nonsense() {
        assert_eq!(message(1, b""), Err(Errno::PROTONOSUPPORT));
        for json in [
            &b"{}"[..],
            b"\0",
            b"{\0",
            b"[]\0\0",
            b"\xff\xfe\0",
            b"{}\0x",
        ] {
            assert_eq!(message(0, json), Err(Errno::INVAL), "{json:?}");
        }
        assert!(agree(&[0; 3], &mut Vec::new()).is_err());
    }
}
