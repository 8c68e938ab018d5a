//! Settings as flags.

use clap::{Arg, ArgMatches};

use super::definition::{CONFIG_FLAG, CONFIG_VARIABLE, Form, LOG_VARIABLE, PORT_FLAG, Setting, flag_of};
use super::groups::settings;
use super::resolve::Sources;

/// The server's flags; the help of each has its variable and default.
pub fn arguments() -> Vec<Arg> {
    let mut arguments: Vec<Arg> = settings().map(argument).collect();
    let port = Arg::new(PORT_FLAG)
        .long(PORT_FLAG)
        .value_name("N")
        .conflicts_with("bind")
        .help("The port to listen on, in the place of that of the address");
    arguments.insert(1, port);
    arguments.push(Arg::new(CONFIG_FLAG).long(CONFIG_FLAG).value_name("FILE").help(format!(
        "A TOML file of settings; a key is a flag's name with underscores [env: {CONFIG_VARIABLE}]"
    )));
    arguments
}

fn argument(setting: &'static Setting) -> Arg {
    let about = setting.about.trim_end_matches('.').replace('`', "");
    let argument = match setting.form {
        Form::Number | Form::Text => Arg::new(setting.key),
        // With a value only behind `=`, so that the flag alone does not swallow what follows.
        Form::Switch => {
            Arg::new(setting.key).num_args(0..=1).require_equals(true).default_missing_value("true")
        }
    };
    argument
        .long(setting.flag())
        .aliases(setting.former().map(|former| flag_of(former.key)))
        .value_name(setting.value_name)
        .allow_negative_numbers(true) // to be refused by name; a flag must not pass for a value
        .help(format!("{about} [env: {}] [default: {}]", setting.variable, setting.default_text()))
}

/// The text below the flags in help.
pub(crate) fn after_help() -> String {
    format!(
        "A flag beats its variable, a variable the file, the file the default. {LOG_VARIABLE} filters the log \
         [default: info].\n`polarway config show` prints the settings in force and where each came from."
    )
}

impl Sources {
    /// The flags among these arguments, and this process's environment.
    pub fn from_matches(matches: &ArgMatches) -> Self {
        let flags = settings().map(|setting| (setting.key, setting.flag()));
        let others = [PORT_FLAG, CONFIG_FLAG].map(|flag| (flag, flag.to_owned()));
        let given =
            flags.chain(others).filter_map(|(id, flag)| Some((flag, matches.get_one::<String>(id)?.clone())));
        Self::new(given.collect(), std::env::vars_os())
    }
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;

    fn given(arguments_given: &[&str]) -> Result<ArgMatches, String> {
        let command = Command::new("server").args(arguments());
        let all = ["server"].iter().chain(arguments_given);
        command.try_get_matches_from(all).map_err(|error| error.to_string())
    }

    #[test]
    fn help_tells_the_variable_and_the_default_of_each_setting() {
        let help = Command::new("server").args(arguments()).term_width(500).render_help().to_string();
        for setting in settings() {
            let expect = format!("[env: {}] [default: {}]", setting.variable, setting.default_text());
            assert!(help.contains(&expect), "{expect}\n{help}");
        }
    }

    #[test]
    fn a_forgotten_value_does_not_swallow_the_next_flag() {
        assert!(given(&["--data-dir", "--config=x.toml"]).is_err_and(|error| error.contains("--data-dir")));
        assert!(given(&["--cache-size", "-1"]).is_ok(), "it is for the settings to refuse");
    }

    #[test]
    fn a_switch_needs_no_value_and_takes_one_behind_an_equals_sign_alone() {
        let value = |arguments: &[&str]| given(arguments).unwrap().get_one::<String>("metrics").cloned();
        assert_eq!(value(&["--metrics"]).unwrap(), "true");
        assert_eq!(value(&["--metrics=false"]).unwrap(), "false");
        assert_eq!(value(&["--metrics", "--metrics-port", "1"]).unwrap(), "true");
        assert!(given(&["--metrics", "false"]).is_err_and(|error| error.contains("false")));
    }

    #[test]
    fn the_flag_that_a_setting_had_is_still_read() {
        let matches = given(&["--shutdown-grace", "7s"]).unwrap();
        assert_eq!(Sources::from_matches(&matches).flags["drain-timeout"], "7s");
    }

    #[test]
    fn a_port_beside_an_address_is_a_usage_error() {
        let error = given(&["--bind", "127.0.0.1:0", "--grpc-port", "1"]).unwrap_err();
        assert!(error.contains("--grpc-port") && error.contains("--bind"), "{error}");
    }
}
