//! Between the vocabulary of `polarway-model` and messages.

use polarway_model::At;

use crate::v1;

impl From<At> for v1::At {
    fn from(at: At) -> Self {
        let at = match at {
            At::Newest => None,
            At::Version(version) => Some(v1::at::At::Version(version)),
            At::TimeUs(time_us) => Some(v1::at::At::AsOfUs(time_us)),
        };
        Self { at }
    }
}

impl From<v1::At> for At {
    fn from(message: v1::At) -> Self {
        match message.at {
            None => Self::Newest,
            Some(v1::at::At::Version(version)) => Self::Version(version),
            Some(v1::at::At::AsOfUs(time_us)) => Self::TimeUs(time_us),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_is_meant_arrives_as_itself() {
        for at in [At::Newest, At::Version(0), At::Version(u64::MAX), At::TimeUs(i64::MIN)] {
            assert_eq!(At::from(v1::At::from(at)), at);
        }
    }
}
