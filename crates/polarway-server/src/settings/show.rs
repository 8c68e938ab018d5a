//! The settings in force, as a configuration file.

use std::fmt;

use super::definition::Form;
use super::groups::settings;
use super::resolve::Settings;

/// TOML that gives the same settings when read as a configuration file. A comment names the origin of each.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (setting, origin) in settings().zip(&self.origins) {
            let value = toml_value(setting.form, &(setting.current)(&self.config));
            let origin = origin.to_string().replace(char::is_control, "?"); // a line break would end the comment
            writeln!(f, "{:40} # {origin}", format!("{} = {value}", setting.key))?;
        }
        Ok(())
    }
}

/// A value as TOML writes it.
pub(super) fn toml_value(form: Form, text: &str) -> String {
    match form {
        Form::Number | Form::Switch => text.to_owned(),
        Form::Text => toml::Value::from(text).to_string(),
    }
}
