//! The variables of Azure's own tools that `object_store` does not read.

use object_store::azure::AzureConfigKey;

use crate::error::{Error, Result};
use crate::variables::Variables;

/// The settings in the variables: the connection string first, so that single variables replace its parts.
pub(crate) fn settings(variables: &Variables) -> Result<Vec<(AzureConfigKey, String)>> {
    const CONNECTION: &str = "AZURE_STORAGE_CONNECTION_STRING";

    let mut settings = Vec::new();
    if let Some(text) = variables.get(CONNECTION) {
        let parts = of_connection_string(text);
        settings = parts.ok_or_else(|| Error::Variable {
            variable: CONNECTION,
            reason: "it has no AccountName".to_owned(),
        })?;
    }
    let own = [
        ("AZURE_STORAGE_ACCOUNT", AzureConfigKey::AccountName),
        ("AZURE_STORAGE_KEY", AzureConfigKey::AccessKey),
        ("IDENTITY_ENDPOINT", AzureConfigKey::MsiEndpoint),
    ];
    settings.extend(own.into_iter().filter_map(|(name, key)| Some((key, variables.get(name)?.to_owned()))));
    for (name, value) in variables.beginning_with("AZURE_") {
        if let Ok(key) = name.to_ascii_lowercase().parse() {
            settings.push((key, value.to_owned()));
        }
    }
    Ok(settings)
}

/// The settings in a connection string; `None` if it names no account.
fn of_connection_string(text: &str) -> Option<Vec<(AzureConfigKey, String)>> {
    let part = |name: &str| {
        let parts = text.split(';').filter_map(|part| part.split_once('='));
        let mut found = parts.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.trim().to_owned())
    };
    if part("UseDevelopmentStorage").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Some(vec![(AzureConfigKey::UseEmulator, "true".to_owned())]);
    }
    let (account, endpoint) = (part("AccountName"), part("BlobEndpoint"));
    // A string with a shared access signature has only an endpoint, whose host begins with the account.
    let host_begin = |endpoint: &String| Some(endpoint.split_once("://")?.1.split('.').next()?.to_owned());
    let account = account.or_else(|| endpoint.as_ref().and_then(host_begin))?;
    let protocol = part("DefaultEndpointsProtocol").unwrap_or_else(|| "https".to_owned());
    let endpoint = endpoint
        .or_else(|| part("EndpointSuffix").map(|suffix| format!("{protocol}://{account}.blob.{suffix}")));
    let settings = [
        (AzureConfigKey::AccountName, Some(account)),
        (AzureConfigKey::AccessKey, part("AccountKey")),
        (AzureConfigKey::SasKey, part("SharedAccessSignature")),
        (AzureConfigKey::Endpoint, endpoint.map(|endpoint| endpoint.trim_end_matches('/').to_owned())),
    ];
    Some(settings.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Vec<(AzureConfigKey, String)> {
        settings(&variables.iter().copied().collect()).unwrap()
    }

    #[test]
    fn a_connection_string_gives_what_it_has() {
        let text = "DefaultEndpointsProtocol=https;AccountName=lake;AccountKey=a+b==;EndpointSuffix=core.windows.net";
        let expect = [
            (AzureConfigKey::AccountName, "lake"),
            (AzureConfigKey::AccessKey, "a+b=="),
            (AzureConfigKey::Endpoint, "https://lake.blob.core.windows.net"),
        ];
        let expect = expect.map(|(key, value)| (key, value.to_owned()));
        assert_eq!(read(&[("AZURE_STORAGE_CONNECTION_STRING", text)]), expect);

        let text = "BlobEndpoint=https://lake.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=x%3D";
        let settings = read(&[("AZURE_STORAGE_CONNECTION_STRING", text)]);
        assert!(settings.contains(&(AzureConfigKey::SasKey, "sv=1&sig=x%3D".to_owned())), "{settings:?}");
        assert!(settings.contains(&(AzureConfigKey::AccountName, "lake".to_owned())), "{settings:?}");
    }

    #[test]
    fn a_connection_string_without_an_account_is_refused_and_not_repeated() {
        let variables = [("AZURE_STORAGE_CONNECTION_STRING", "AccountKey=canary")].into_iter().collect();
        let refusal = settings(&variables).unwrap_err().to_string();
        assert!(
            refusal.contains("AZURE_STORAGE_CONNECTION_STRING") && !refusal.contains("canary"),
            "{refusal}"
        );
    }

    #[test]
    fn variables_of_the_azure_tools_are_read_beside_those_of_the_client() {
        let settings = read(&[("AZURE_STORAGE_ACCOUNT", "lake"), ("AZURE_STORAGE_SAS_TOKEN", "sig=x")]);
        assert_eq!(
            settings,
            [(AzureConfigKey::AccountName, "lake".to_owned()), (AzureConfigKey::SasKey, "sig=x".to_owned())]
        );
    }
}
