//! Signs requests as S3 and Azure want them signed.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::digest::{hex, hmac, sha256};
use crate::message::Request;

const REGION: &str = "us-east-1";

/// Signs a request for S3, in version 4, with these keys. Its body is not part of the signature.
pub(crate) fn for_s3(request: &mut Request, host: &str, access_key: &str, secret_key: &str) {
    const PAYLOAD: &str = "UNSIGNED-PAYLOAD";

    let time = Utc::now();
    let (day, stamp) = (time.day(), time.stamp());
    request.set("host", host);
    request.set("x-amz-date", &stamp);
    request.set("x-amz-content-sha256", PAYLOAD);
    let mut signed: Vec<(&str, &str)> =
        request.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    signed.retain(|(name, _)| *name == "host" || name.starts_with("x-amz-"));
    signed.sort_unstable();
    let names: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
    let headers: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let query = request.target.split_once('?').map_or("", |(_, query)| query);
    let path: Vec<String> = request.path().split('/').map(|part| encoded(part.as_bytes())).collect();
    let names = names.join(";");
    let canonical = format!(
        "{}\n{}\n{}\n{headers}\n{names}\n{PAYLOAD}",
        request.method,
        path.join("/"),
        canonical_query(query)
    );
    let scope = format!("{day}/{REGION}/s3/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hex(&sha256(canonical.as_bytes())));
    let key = ["s3", "aws4_request"].iter().fold(
        hmac(&hmac(format!("AWS4{secret_key}").as_bytes(), day.as_bytes()), REGION.as_bytes()),
        |key, part| hmac(&key, part.as_bytes()),
    );
    let signature = hex(&hmac(&key, text.as_bytes()));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    );
    request.set("authorization", &authorization);
}

/// Signs a request without a body for Azure, with the key of an account.
pub(crate) fn for_azure(request: &mut Request, account: &str, key: &str) {
    request.set("x-ms-date", &Utc::now().http_date());
    request.set("x-ms-version", "2023-11-03");
    let mut own: Vec<String> =
        request.headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    own.retain(|header| header.starts_with("x-ms-"));
    own.sort_unstable();
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let mut parameters: Vec<String> =
        query.split('&').map(|pair| format!("\n{}", pair.replacen('=', ":", 1))).collect();
    parameters.sort_unstable();
    let text = format!(
        "{}\n\n\n\n\n\n\n\n\n\n\n\n{}/{account}{path}{}",
        request.method,
        own.concat(),
        parameters.concat()
    );
    let key = STANDARD.decode(key).unwrap_or_default();
    let signature = STANDARD.encode(hmac(&key, text.as_bytes()));
    request.set("authorization", &format!("SharedKey {account}:{signature}"));
}

/// The parameters of a query in the order and the form in which they are signed.
fn canonical_query(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<String> = pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            format!("{}={}", encoded(&decoded(name)), encoded(&decoded(value)))
        })
        .collect();
    pairs.sort_unstable();
    pairs.join("&")
}

pub(crate) fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits =
                    [bytes.next(), bytes.next()].map(|digit| char::from(digit.unwrap_or(b'0')).to_digit(16));
                let [high, low] = digits.map(Option::unwrap_or_default);
                (high * 16 + low) as u8
            }
            byte => byte,
        });
    }
    decoded
}

fn encoded(bytes: &[u8]) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    bytes
        .iter()
        .map(|byte| if is_plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// A time in UTC.
struct Utc {
    year: u64,
    month: u64,
    day: u64,
    day_of_week: u64,
    second_of_day: u64,
}

impl Utc {
    fn now() -> Self {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self::at(seconds)
    }

    /// The time so many seconds after 1970.
    fn at(seconds: u64) -> Self {
        let days = seconds / 86_400;
        // Years begin in March here, so that the day that leap years have more is their last.
        let shifted = days + 719_468;
        let (era, of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        Self { year, month, day, day_of_week: (days + 4) % 7, second_of_day: seconds % 86_400 }
    }

    fn day(&self) -> String {
        format!("{:04}{:02}{:02}", self.year, self.month, self.day)
    }

    fn stamp(&self) -> String {
        let second = self.second_of_day;
        format!("{}T{:02}{:02}{:02}Z", self.day(), second / 3600, second / 60 % 60, second % 60)
    }

    fn http_date(&self) -> String {
        const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

        let (weekday, month) = (DAYS[self.day_of_week as usize], MONTHS[self.month as usize - 1]);
        let second = self.second_of_day;
        let (hours, minutes, seconds) = (second / 3600, second / 60 % 60, second % 60);
        format!("{weekday}, {:02} {month} {} {hours:02}:{minutes:02}:{seconds:02} GMT", self.day, self.year)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_the_services_read_it() {
        let time = Utc::at(951_782_399); // the last second of the 28th of February 2000
        assert_eq!(time.stamp(), "20000228T235959Z");
        assert_eq!(Utc::at(951_782_400).http_date(), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(Utc::at(0).http_date(), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn a_query_is_signed_in_order_and_encoded_strictly() {
        assert_eq!(
            canonical_query("uploads&prefix=a/b+c&list-type=2"),
            "list-type=2&prefix=a%2Fb%20c&uploads="
        );
        assert_eq!(canonical_query(""), "");
    }
}
