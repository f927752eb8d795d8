//! AWS's price list, as far as it is needed, and what is taken for granted where the local stack can't tell.

use std::collections::BTreeMap;

use crate::Failure;

const PRICES: &str = include_str!("prices.toml");

/// How many lives a month are reckoned with: how full batches are depends on it.
pub(crate) const LIVES_A_MONTH: f64 = 1_000_000.0;

/// The seconds of a month.
pub(crate) const MONTH_SECONDS: f64 = 730.0 * 3600.0;

/// How long a call takes, in milliseconds: the local stack's times say nothing about AWS. IAM writes take so long; the
/// rest is far below 20. The same as in the load's model (docs/budgets.md), with a margin.
pub(crate) const IAM_MS: f64 = 100.0;
pub(crate) const OTHER_MS: f64 = 20.0;

/// What a function itself takes for an invocation: parsing, signatures, guardrails, at 256 MB's share of a processor.
pub(crate) const OWN_MS: f64 = 10.0;

/// What CloudWatch adds to the size of each line.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>
pub(crate) const LINE_OVERHEAD_BYTES: usize = 26;

/// What Lambda itself writes around an invocation.
pub(crate) const PLATFORM_LINES: [&str; 3] = [
    "START RequestId: 8f5a2c31-6b0e-4e0a-9d1f-2f6f1f1d9a10 Version: $LATEST",
    "END RequestId: 8f5a2c31-6b0e-4e0a-9d1f-2f6f1f1d9a10",
    "REPORT RequestId: 8f5a2c31-6b0e-4e0a-9d1f-2f6f1f1d9a10\tDuration: 172.31 ms\tBilled Duration: 173 ms\tMemory Size: \
     256 MB\tMax Memory Used: 31 MB\t",
];

/// A price.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Price {
    pub(crate) unit: String,
    usd: f64,
    per: f64,
}

impl Price {
    /// What so many units cost, in US dollars.
    pub(crate) fn of(&self, units: f64) -> f64 {
        units * self.usd / self.per
    }
}

/// The prices by their names.
#[derive(Debug)]
pub(crate) struct Prices(BTreeMap<String, Price>);

impl Prices {
    pub(crate) fn read() -> Result<Self, Failure> {
        let table: toml::Table = PRICES.parse()?;
        let mut prices = BTreeMap::new();
        for (name, price) in table {
            let number = |key: &str| {
                let value = price.get(key).and_then(|value| {
                    value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64))
                });
                value.ok_or_else(|| format!("prices.toml: `{name}` has no number `{key}`"))
            };
            let text = |key: &str| price.get(key).and_then(toml::Value::as_str).map(str::to_owned);
            let unit = text("unit").ok_or_else(|| format!("prices.toml: `{name}` has no `unit`"))?;
            if text("source").is_none()
                || !["listed", "known"].contains(&text("seen").unwrap_or_default().as_str())
            {
                return Err(format!("prices.toml: `{name}` does not say where it is from").into());
            }
            prices.insert(name.clone(), Price { unit, usd: number("usd")?, per: number("per")? });
        }
        Ok(Self(prices))
    }

    pub(crate) fn get(&self, name: &str) -> Result<&Price, Failure> {
        self.0.get(name).ok_or_else(|| format!("prices.toml has no `{name}`").into())
    }
}
