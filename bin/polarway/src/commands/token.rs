//! `polarway token`: tokens for the file of a server.

use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use polarway_server::{NewToken, Role};

use crate::arguments::{NewTokenArguments, Token, TokenCommand};
use crate::failure::Result;
use crate::time;

pub(crate) fn token(token: Token) -> Result<()> {
    match token.command {
        TokenCommand::New(new) => make(new),
    }
}

/// Prints a new token, and behind an empty line its entry.
fn make(new: NewTokenArguments) -> Result<()> {
    let NewTokenArguments { name, role, read, write, expires } = new;
    let made = NewToken { name, role, read, write, expires }.make()?;
    writeln!(std::io::stdout(), "{}\n\n{}", made.token.reveal(), made.entry.trim_end())?;
    Ok(())
}

/// Reads a role.
pub(crate) fn role(name: &str) -> Result<Role, String> {
    Role::parse(name).ok_or_else(|| format!("there are {}", Role::ALL.map(Role::name).join(", ")))
}

/// Reads when a token expires: a time, or how long from now.
pub(crate) fn expiry(text: &str) -> Result<SystemTime, String> {
    let time = match humantime::parse_duration(text) {
        Ok(duration) => SystemTime::now().checked_add(duration),
        Err(_) => {
            let micros = time::parse(text).map_err(|hint| format!("write a duration like 90d, or {hint}"))?;
            u64::try_from(micros)
                .ok()
                .and_then(|micros| UNIX_EPOCH.checked_add(Duration::from_micros(micros)))
        }
    };
    time.filter(|time| *time > SystemTime::now()).ok_or_else(|| "it has expired by then".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_time_to_come() {
        let day = Duration::from_secs(86_400);
        let soon = expiry("1d").unwrap();
        assert!(soon > SystemTime::now() && soon <= SystemTime::now() + day);
        assert_eq!(expiry("2100-01-01").unwrap(), UNIX_EPOCH + 47_482 * day);
        for text in ["0s", "2020-01-01", "1960-01-01", "soon", ""] {
            assert!(expiry(text).is_err(), "{text}");
        }
    }
}
