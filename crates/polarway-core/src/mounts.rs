//! Warns of mounts on which a worker sees the writes of other workers late.
//!
//! The newest commit is found by asking for the one behind it. An NFS client may answer "not found" from its cache for up
//! to a minute, unless a mount option turns that off. No data is lost: the server decides whether a commit can be created. But a
//! version that another worker has acknowledged is not visible in this minute.

use std::path::Path;

/// With any of these mount options, a client does not cache for long that a file is absent.
const NEVER_STALE: [&str; 5] =
    ["lookupcache=none", "lookupcache=pos", "lookupcache=positive", "noac", "acdirmax=0"];

/// A warning, if the folder is on a mount that hides the newest commits of other workers for a while.
pub(crate) fn staleness_of(folder: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?; // Linux has it; elsewhere nothing is known
    let point = stale_mount(&mounts, folder)?;
    Some(format!(
        "{point} is an NFS mount that remembers for a while that a file is absent, so versions that other workers store are \
         seen late: mount it with lookupcache=positive"
    ))
}

/// The mount point of a folder, if it is one of those. The folder's path must have no links.
fn stale_mount(mounts: &str, folder: &Path) -> Option<String> {
    let holding = mounts.lines().filter_map(Mount::parse).filter(|mount| folder.starts_with(&mount.point));
    // If there are several mounts at one place, only the last is visible.
    let mount = holding.max_by_key(|mount| mount.point.len())?;
    let is_nfs = matches!(mount.kind, "nfs" | "nfs4");
    let is_stale = !mount.options.split(',').any(|option| NEVER_STALE.contains(&option));
    (is_nfs && is_stale).then_some(mount.point)
}

/// A line of `/proc/self/mountinfo`.
struct Mount<'a> {
    point: String,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (place, filesystem) = line.split_once(" - ")?;
        let mut filesystem = filesystem.split(' ');
        let (kind, options) = (filesystem.next()?, filesystem.nth(1)?);
        Some(Self { point: unescaped(place.split(' ').nth(4)?), kind, options })
    }
}

/// Blanks and similar characters are written as a backslash and three octal digits.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code.filter(u8::is_ascii) {
            Some(code) => plain.extend([char::from(code).to_string().as_str(), &part[3..]]),
            None => plain.extend(["\\", part]),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:50 / /shared rw,relatime shared:9 - nfs4 server:/export rw,vers=4.2,hard,proto=tcp,acdirmax=60
41 22 0:51 / /careful rw,relatime - nfs4 server:/export rw,vers=4.2,hard,lookupcache=pos
42 22 0:52 / /slow rw,relatime - nfs server:/export rw,vers=3,noac,hard
43 22 0:53 / /with\\040blank rw,relatime - nfs server:/export rw,vers=3,hard
44 40 0:54 / /shared/local rw - tmpfs none rw,size=4k
45 22 0:55 / /twice rw - nfs4 server:/export rw,hard
46 45 0:56 / /twice rw - ext4 /dev/sdb1 rw
a line of nonsense
";

    #[test]
    fn an_nfs_mount_that_remembers_absence_is_found_for_all_that_lies_under_it() {
        for (folder, point) in [
            ("/shared", Some("/shared")),
            ("/shared/cold/deep", Some("/shared")),
            ("/with blank/cold", Some("/with blank")),
            ("/sharedness", None),
            ("/careful/cold", None),
            ("/slow/cold", None),
            ("/shared/local/cold", None),
            ("/twice/cold", None),
            ("/", None),
        ] {
            assert_eq!(stale_mount(MOUNTS, Path::new(folder)).as_deref(), point, "{folder}");
        }
        assert_eq!(stale_mount("", Path::new("/shared")), None);
    }

    #[test]
    fn a_local_folder_is_nothing_to_warn_of() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(staleness_of(&folder.path().canonicalize().unwrap()), None);
    }
}
