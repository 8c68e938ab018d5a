//! What was done with a storage when it failed, as errors name it.

use std::fmt;

/// An operation of a storage, or of the folders beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// To copy a file.
    Copy,
    /// To create a file or folder.
    Create,
    /// To link a file.
    Link,
    /// To find out whether files can be linked in a folder.
    LinkFiles,
    /// To list a folder.
    List,
    /// To list the uploads that were not completed.
    ListUploads,
    /// To read the metadata of a file.
    LookAt,
    /// To find out what a folder has.
    LookInto,
    /// To open a file.
    Open,
    /// To open the folder of a storage.
    OpenFolder,
    /// To prepare a folder.
    Prepare,
    /// To prepare the folder of the mirror.
    PrepareMirror,
    /// To give a commit its name.
    Publish,
    /// To reach a storage.
    Reach,
    /// To read a file.
    Read,
    /// To remove a file or an upload.
    Remove,
    /// To set the contents of a file.
    Replace,
    /// To start a thread for a storage.
    StartThread,
    /// To bring a file to stable storage.
    Sync,
    /// To use a storage for commits.
    Use,
    /// To write a file.
    Write,
    /// To write anything in a folder.
    WriteIn,
}

impl Operation {
    /// Whether a storage that can only be read refuses it.
    pub(crate) fn is_write(self) -> bool {
        matches!(self, Self::Publish | Self::Create | Self::Write | Self::Replace | Self::Copy | Self::Remove)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Copy => "copy",
            Self::Create => "create",
            Self::Link => "link",
            Self::LinkFiles => "link files in",
            Self::List => "list",
            Self::ListUploads => "list uploads in",
            Self::LookAt => "look at",
            Self::LookInto => "look into",
            Self::Open => "open",
            Self::OpenFolder => "open the folder",
            Self::Prepare => "prepare",
            Self::PrepareMirror => "prepare the mirror in",
            Self::Publish => "publish",
            Self::Reach => "reach",
            Self::Read => "read",
            Self::Remove => "remove",
            Self::Replace => "replace",
            Self::StartThread => "start the thread for",
            Self::Sync => "sync",
            Self::Use => "use",
            Self::Write => "write",
            Self::WriteIn => "write in",
        })
    }
}
