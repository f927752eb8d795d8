//! The bill: what one life was charged, line by line, and how it is told.

use std::fmt;

use curfew_tests::charges::Charge;
use serde_json::{Value, json};

use crate::Failure;
use crate::prices::Prices;

/// What a million lives may cost at most, in US dollars (docs/costs.md says why it is not less).
pub(crate) const BUDGET_USD: f64 = 36.0;

/// One line of a bill.
#[derive(Debug)]
struct Line {
    service: &'static str,
    what: String,
    price: &'static str,
    unit: String,
    /// Units of one life.
    units: f64,
    /// Of a million lives.
    usd: f64,
}

/// What one life costs.
#[derive(Debug)]
pub(crate) struct Bill {
    pub(crate) role: &'static str,
    lines: Vec<Line>,
    writes: Vec<(&'static str, Charge)>,
}

impl Bill {
    pub(crate) fn new(role: &'static str) -> Self {
        Self { role, lines: Vec::new(), writes: Vec::new() }
    }

    /// Adds so many units of a life.
    pub(crate) fn add(
        &mut self,
        prices: &Prices,
        service: &'static str,
        what: impl Into<String>,
        price: &'static str,
        units: f64,
    ) -> Result<(), Failure> {
        let of = prices.get(price)?;
        let usd = of.of(units) * 1_000_000.0;
        self.lines.push(Line { service, what: what.into(), price, unit: of.unit.clone(), units, usd });
        Ok(())
    }

    /// Keeps what the ledger was charged for, to be shown one by one.
    pub(crate) fn keep(&mut self, act: &'static str, charges: Vec<Charge>) {
        self.writes.extend(charges.into_iter().map(|charge| (act, charge)));
    }

    /// Units of the ledger.
    pub(crate) fn ledger_units(&self) -> (f64, f64) {
        let writes: usize = self.writes.iter().map(|(_, charge)| charge.write_units).sum();
        let reads: usize = self.writes.iter().map(|(_, charge)| charge.half_read_units).sum();
        (writes as f64, reads as f64 / 2.0)
    }

    /// US dollars for a million lives.
    pub(crate) fn total(&self) -> f64 {
        self.lines.iter().map(|line| line.usd).sum()
    }

    pub(crate) fn json(&self) -> Value {
        let lines = self.lines.iter().map(|line| {
            json!({
                "service": line.service, "what": line.what, "price": line.price, "unit": line.unit,
                "units_per_life": line.units, "usd_per_million": line.usd,
            })
        });
        let writes = self.writes.iter().map(|(act, charge)| {
            json!({
                "act": act, "what": charge.what, "how": charge.how, "bytes": charge.bytes,
                "write_units": charge.write_units, "half_read_units": charge.half_read_units,
            })
        });
        json!({
            "role": self.role, "usd_per_million": self.total(),
            "lines": lines.collect::<Vec<_>>(), "ledger": writes.collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Bill {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "role {}, from its webhook to its expiry", self.role)?;
        writeln!(out, "{:<12} {:<44} {:>9} {:<20} {:>7}", "service", "what", "a life", "", "US$/M")?;
        for line in &self.lines {
            let Line { service, what, units, unit, usd, .. } = line;
            writeln!(out, "{service:<12} {what:<44} {units:>9.4} {unit:<20} {usd:>7.2}")?;
        }
        writeln!(out, "{:<12} {:<44} {:>9} {:<20} {:>7.2}", "", "", "", "", self.total())?;
        writeln!(out, "\nthe ledger's part, one by one (bytes, write units, read units)")?;
        for (act, charge) in &self.writes {
            let Charge { what, how, bytes, write_units, half_read_units } = charge;
            let reads = *half_read_units as f64 / 2.0;
            let what = shortened(what);
            writeln!(out, "{act:<12} {how:<20} {what:<46} {bytes:>5} {write_units:>3} {reads:>5.1}")?;
        }
        Ok(())
    }
}

/// Without the ids, which are different each time.
fn shortened(what: &str) -> String {
    let words = what.split(' ').map(|word| match word.split_once('#') {
        Some((partition @ ("GRANT" | "TICKET"), _)) => format!("{partition}#…"),
        Some((source, rest)) if rest.starts_with("GRANT#") => format!("{source}#GRANT#…"),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}
