//! What the mount of a folder means for its files.
//!
//! **Absence that is remembered.** The newest commit is found by asking for the one behind it. An NFS client may answer "not found" from
//! its cache for up to a minute, unless a mount option turns that off. No data is lost: the server decides whether a commit can be
//! created. But a version that another worker has acknowledged is not visible in this minute.
//!
//! **A network between.** A read from a network filesystem costs a round trip, and DuckDB's own reads of files are many and small.

use std::path::Path;

/// The kinds of filesystems whose files are on other machines. Those of programs (`fuse.sshfs`, `fuse.gcsfuse`) are counted among
/// them: all of their reads are slow.
const REMOTE_KINDS: [&str; 11] =
    ["9p", "afs", "beegfs", "ceph", "cifs", "gpfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"];
const PROGRAM_KIND: &str = "fuse.";

/// With any of these mount options, a client does not cache for long that a file is absent.
const NEVER_STALE: [&str; 5] =
    ["lookupcache=none", "lookupcache=pos", "lookupcache=positive", "noac", "acdirmax=0"];

/// A line of `/proc/self/mountinfo`.
pub(crate) struct Mount {
    point: String,
    kind: String,
    options: String,
}

impl Mount {
    /// The one that a folder is on, whose path must have no links. Linux tells it; elsewhere nothing is known.
    pub(crate) fn holding(folder: &Path) -> Option<Self> {
        Self::of(&std::fs::read_to_string("/proc/self/mountinfo").ok()?, folder)
    }

    /// Whether reading its files goes over a network.
    pub(crate) fn is_remote(&self) -> bool {
        REMOTE_KINDS.contains(&&*self.kind) || self.kind.starts_with(PROGRAM_KIND)
    }

    /// A warning, if it hides the newest commits of other workers for a while.
    pub(crate) fn warning(&self) -> Option<String> {
        self.is_stale().then(|| {
            format!(
                "{} is an NFS mount that remembers for a while that a file is absent, so versions that other workers store are \
                 seen late: mount it with lookupcache=positive",
                self.point
            )
        })
    }

    fn is_stale(&self) -> bool {
        let is_nfs = matches!(&*self.kind, "nfs" | "nfs4");
        is_nfs && !self.options.split(',').any(|option| NEVER_STALE.contains(&option))
    }

    fn of(mounts: &str, folder: &Path) -> Option<Self> {
        let holding = mounts.lines().filter_map(Self::parse).filter(|mount| folder.starts_with(&mount.point));
        // If there are several mounts at one place, only the last is visible.
        holding.max_by_key(|mount| mount.point.len())
    }

    fn parse(line: &str) -> Option<Self> {
        let (place, filesystem) = line.split_once(" - ")?;
        let mut filesystem = filesystem.split(' ');
        let (kind, options) = (filesystem.next()?, filesystem.nth(1)?);
        let point = unescaped(place.split(' ').nth(4)?);
        Some(Self { point, kind: kind.to_owned(), options: options.to_owned() })
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
47 22 0:57 / /windows rw - cifs //server/share rw
48 22 0:58 / /ssh rw - fuse.sshfs user@server:/ rw
49 22 8:17 / /stick rw - fuseblk /dev/sdb1 rw
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
            let stale = Mount::of(MOUNTS, Path::new(folder)).filter(Mount::is_stale);
            assert_eq!(stale.map(|mount| mount.point).as_deref(), point, "{folder}");
        }
        assert!(Mount::of("", Path::new("/shared")).is_none());
    }

    #[test]
    fn a_folder_is_remote_if_the_mount_that_holds_it_is() {
        for folder in ["/shared/cold", "/careful", "/slow", "/windows/cold", "/ssh/cold"] {
            assert!(Mount::of(MOUNTS, Path::new(folder)).unwrap().is_remote(), "{folder}");
        }
        for folder in ["/", "/shared/local/cold", "/sharedness", "/twice/cold", "/stick/cold"] {
            assert!(!Mount::of(MOUNTS, Path::new(folder)).unwrap().is_remote(), "{folder}");
        }
    }

    #[test]
    fn a_local_folder_is_nothing_to_warn_of_and_is_not_remote() {
        let folder = tempfile::tempdir().unwrap();
        let mount = Mount::holding(&folder.path().canonicalize().unwrap());
        assert_eq!(mount.as_ref().and_then(Mount::warning), None);
        assert!(!mount.is_some_and(|mount| mount.is_remote()));
    }
}
