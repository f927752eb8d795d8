//! What DynamoDB charges for the requests that were made: reads the requests' bodies and follows the items they make.
//!
//! The rules, all per item and rounded up to whole units:
//! - a size is attribute names and values together
//!   (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>);
//! - a write costs one unit for each KB of the larger of the item before and after, in a transaction two; a condition check
//!   in a transaction costs what writing the item that it looks at would
//!   (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html>; measured on AWS:
//!   <https://github.com/paritysuite/dynamodb-conformance/pull/67>);
//! - an index costs by what changes in it: nothing if its entry stays as it was, one write if an entry comes, goes or keeps
//!   its keys, two if its keys change
//!   (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html>); a transaction does not double these
//!   (measured on AWS: <https://github.com/nubo-db/dynoxide/pull/188>);
//! - a read costs one unit for each 4 KB, half of it if it need not be consistent, the items of a query together.
//!
//! Must not know: what the items mean, and what a unit costs.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// An item, in DynamoDB's own JSON.
type Item = Map<String, Value>;

const WRITE_UNIT: usize = 1024;
const READ_UNIT: usize = 4096;

/// An index of the table.
#[derive(Debug, Clone)]
struct Index {
    name: String,
    keys: Vec<String>,
    /// What is projected beside keys; none, if all is.
    projected: Option<Vec<String>>,
}

/// One thing that was charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// What was written or read: an item's key, or an index's name and the item's key.
    pub what: String,
    /// How.
    pub how: &'static str,
    /// The size that it was charged by, in bytes.
    pub bytes: usize,
    /// Write request units.
    pub write_units: usize,
    /// Halves of a read unit.
    pub half_read_units: usize,
}

/// A table as the requests that were seen leave it.
#[derive(Debug)]
pub struct Table {
    keys: Vec<String>,
    indexes: Vec<Index>,
    items: BTreeMap<Vec<String>, Item>,
}

impl Table {
    /// The table that `DescribeTable` describes, empty.
    ///
    /// # Errors
    /// In words: it has what there is no rule for.
    pub fn described(table: &Value) -> Result<Self, String> {
        let keys = |of: &Value| -> Vec<String> {
            let names = of["KeySchema"].as_array().into_iter().flatten();
            names.filter_map(|key| Some(key["AttributeName"].as_str()?.to_owned())).collect()
        };
        let index = |of: &Value| -> Result<Index, String> {
            let projection = &of["Projection"];
            let named = projection["NonKeyAttributes"].as_array().into_iter().flatten();
            let named = named.filter_map(|name| Some(name.as_str()?.to_owned())).collect();
            let projected = match projection["ProjectionType"].as_str() {
                Some("KEYS_ONLY") => Some(Vec::new()),
                Some("INCLUDE") => Some(named),
                Some("ALL") => None,
                other => return Err(format!("no projection of DynamoDB's: {other:?}")),
            };
            let name = of["IndexName"].as_str().unwrap_or_default().to_owned();
            Ok(Index { name, keys: keys(of), projected })
        };
        let indexes = table["GlobalSecondaryIndexes"].as_array().into_iter().flatten();
        let indexes = indexes.map(index).collect::<Result<_, _>>()?;
        Ok(Self { keys: keys(table), indexes, items: BTreeMap::new() })
    }

    /// Charges a request that succeeded, and does to the items what it did.
    ///
    /// # Errors
    /// In words: there is no rule for it.
    pub fn charge(&mut self, operation: &str, body: &Value) -> Result<Vec<Charge>, String> {
        match operation {
            "PutItem" => self.put(body, 1),
            "UpdateItem" => self.update(body, 1),
            "TransactWriteItems" => {
                let mut charges = Vec::new();
                for action in body["TransactItems"].as_array().into_iter().flatten() {
                    let fields = action.as_object().into_iter().flatten().find(|(_, of)| !of.is_null());
                    charges.extend(match fields {
                        Some((name, of)) if name == "Put" => self.put(of, 2)?,
                        Some((name, of)) if name == "Update" => self.update(of, 2)?,
                        Some((name, of)) if name == "ConditionCheck" => vec![self.check(of)?],
                        other => return Err(format!("no rule for the action {other:?}")),
                    });
                }
                Ok(charges)
            }
            "GetItem" => {
                let key = self.key(&body["Key"])?;
                let bytes = self.items.get(&key).map_or(0, size);
                Ok(vec![read(key.join(" "), bytes, is_consistent(body))])
            }
            // What was found is not in the request. Of a range of keys it is known; other queries of the ledger find
            // little: one unit is taken for each.
            "Query" => {
                let index = body["IndexName"].as_str().unwrap_or("the table").to_owned();
                Ok(vec![read(index, self.in_range(body).unwrap_or(0), is_consistent(body))])
            }
            other => Err(format!("no rule for DynamoDB's {other}")),
        }
    }

    /// The bytes of a range of the table's own keys; none, if that is not what is asked for.
    fn in_range(&self, body: &Value) -> Option<usize> {
        let condition = body["KeyConditionExpression"].as_str().filter(|_| body["IndexName"].is_null())?;
        let (from, to) = condition.strip_prefix("pk = :pk AND sk BETWEEN ")?.split_once(" AND ")?;
        let text = |name: &str| body["ExpressionAttributeValues"][name]["S"].as_str().map(str::to_owned);
        let (pk, from, to) = (text(":pk")?, text(from)?, text(to)?);
        let limit =
            body["Limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let items = self.items.range(vec![pk.clone(), from]..=vec![pk, to]);
        Some(items.take(limit).map(|(_, item)| size(item)).sum())
    }

    fn put(&mut self, body: &Value, times: usize) -> Result<Vec<Charge>, String> {
        let item = body["Item"].as_object().ok_or("a put without its item")?.clone();
        self.write("put", item, times)
    }

    fn update(&mut self, body: &Value, times: usize) -> Result<Vec<Charge>, String> {
        let key = self.key(&body["Key"])?;
        let mut item = match self.items.get(&key) {
            Some(item) => item.clone(),
            None => body["Key"].as_object().ok_or("an update without its key")?.clone(),
        };
        let expression = body["UpdateExpression"].as_str().ok_or("an update without its expression")?;
        update(&mut item, expression, body)?;
        self.write("update", item, times)
    }

    fn check(&self, body: &Value) -> Result<Charge, String> {
        let key = self.key(&body["Key"])?;
        let bytes = self.items.get(&key).map_or(0, size);
        let write_units = 2 * units(bytes, WRITE_UNIT);
        Ok(Charge { what: key.join(" "), how: "check", bytes, write_units, half_read_units: 0 })
    }

    fn write(&mut self, how: &'static str, item: Item, times: usize) -> Result<Vec<Charge>, String> {
        let key = self.key(&Value::Object(item.clone()))?;
        let what = key.join(" ");
        let before = self.items.insert(key, item.clone());
        let bytes = size(&item).max(before.as_ref().map_or(0, size));
        let write_units = times * units(bytes, WRITE_UNIT);
        let mut charges = vec![Charge { what: what.clone(), how, bytes, write_units, half_read_units: 0 }];
        for index in &self.indexes {
            let entry = |item: &Item| index.entry(&self.keys, item);
            let (old, new) = (before.as_ref().and_then(entry), entry(&item));
            let bytes = |entry: &Option<Item>| entry.as_ref().map_or(0, size);
            let (how, bytes, write_units) = match (&old, &new) {
                (None, None) => continue,
                (Some(one), Some(other)) if one == other => continue,
                (Some(one), Some(other)) if index.moves(one, other) => {
                    let both = [bytes(&old), bytes(&new)];
                    (
                        "index entry moves",
                        both[0].max(both[1]),
                        both.iter().map(|of| units(*of, WRITE_UNIT)).sum(),
                    )
                }
                (Some(_), Some(_)) => {
                    let larger = bytes(&old).max(bytes(&new));
                    ("index entry changes", larger, units(larger, WRITE_UNIT))
                }
                (None, Some(_)) => ("index entry comes", bytes(&new), units(bytes(&new), WRITE_UNIT)),
                (Some(_), None) => ("index entry goes", bytes(&old), units(bytes(&old), WRITE_UNIT)),
            };
            let what = format!("{}: {what}", index.name);
            charges.push(Charge { what, how, bytes, write_units, half_read_units: 0 });
        }
        Ok(charges)
    }

    fn key(&self, of: &Value) -> Result<Vec<String>, String> {
        let part = |name: &String| of[name]["S"].as_str().map(str::to_owned);
        let parts: Option<Vec<String>> = self.keys.iter().map(part).collect();
        parts.ok_or_else(|| format!("no key of the table in {of}"))
    }
}

impl Index {
    /// What the index holds of an item; none, if it lacks a key of it.
    fn entry(&self, base_keys: &[String], item: &Item) -> Option<Item> {
        if !self.keys.iter().all(|key| item.contains_key(key)) {
            return None;
        }
        let is_held = |name: &String| {
            self.keys.contains(name)
                || base_keys.contains(name)
                || self.projected.as_ref().is_none_or(|names| names.contains(name))
        };
        Some(
            item.iter()
                .filter(|(name, _)| is_held(name))
                .map(|(name, of)| (name.clone(), of.clone()))
                .collect(),
        )
    }

    fn moves(&self, before: &Item, after: &Item) -> bool {
        self.keys.iter().any(|key| before.get(key) != after.get(key))
    }
}

fn is_consistent(body: &Value) -> bool {
    body["ConsistentRead"] == true
}

fn read(what: String, bytes: usize, consistent: bool) -> Charge {
    let half_read_units = units(bytes, READ_UNIT) * if consistent { 2 } else { 1 };
    Charge { what, how: "read", bytes, write_units: 0, half_read_units }
}

/// Whole units; what is empty or absent costs one.
fn units(bytes: usize, of: usize) -> usize {
    bytes.div_ceil(of).max(1)
}

/// An item's size in bytes.
fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_size(value)).sum()
}

/// The size of a value in DynamoDB's JSON.
fn value_size(value: &Value) -> usize {
    const CONTAINER: usize = 3;
    const ELEMENT: usize = 1;
    let Some((kind, of)) = value.as_object().and_then(|typed| typed.iter().next()) else { return 0 };
    let texts = || of.as_array().into_iter().flatten().filter_map(Value::as_str);
    match kind.as_str() {
        "S" => of.as_str().unwrap_or_default().len(),
        "N" => number_size(of.as_str().unwrap_or_default()),
        "B" => binary_size(of.as_str().unwrap_or_default()),
        "SS" => texts().map(str::len).sum(),
        "NS" => texts().map(number_size).sum(),
        "BS" => texts().map(binary_size).sum(),
        "M" => {
            let fields = of.as_object().into_iter().flatten();
            CONTAINER + fields.map(|(name, value)| name.len() + value_size(value) + ELEMENT).sum::<usize>()
        }
        "L" => {
            let elements = of.as_array().into_iter().flatten();
            CONTAINER + elements.map(|value| value_size(value) + ELEMENT).sum::<usize>()
        }
        // Booleans and null.
        _ => 1,
    }
}

/// The bytes themselves, and not their base64.
fn binary_size(base64: &str) -> usize {
    base64.trim_end_matches('=').len() * 3 / 4
}

/// One byte for each two significant digits, and one.
fn number_size(number: &str) -> usize {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').len().div_ceil(2) + 1
}

/// Does what an update expression says: `SET` of values and of one sum, `REMOVE`, and `ADD` of numbers and sets.
fn update(item: &mut Item, expression: &str, body: &Value) -> Result<(), String> {
    let (names, values) = (&body["ExpressionAttributeNames"], &body["ExpressionAttributeValues"]);
    let name = |text: &str| names[text].as_str().unwrap_or(text).to_owned();
    let mut clause = "";
    for piece in expression.split(',') {
        let mut piece = piece.trim();
        // A clause's keyword stands before its first piece, the next one after the last.
        while !piece.is_empty() {
            if let Some((word, rest)) = piece.split_once(' ')
                && ["SET", "REMOVE", "ADD"].contains(&word)
            {
                (clause, piece) = (word, rest.trim());
                continue;
            }
            let end = [" SET ", " REMOVE ", " ADD "].iter().filter_map(|word| piece.find(word)).min();
            let (this, rest) = end.map_or((piece, ""), |end| piece.split_at(end));
            piece = rest.trim();
            match clause {
                "REMOVE" => drop(item.remove(&name(this.trim()))),
                "SET" => {
                    let (to, from) = this.split_once('=').ok_or("a SET without `=`")?;
                    let value = match from.split_once('+') {
                        Some((of, more)) => sum(item.get(&name(of.trim())), &values[more.trim()])?,
                        None => values[from.trim()].clone(),
                    };
                    item.insert(name(to.trim()), value);
                }
                "ADD" => {
                    let (to, more) = this.trim().split_once(' ').ok_or("an ADD without its value")?;
                    let to = name(to.trim());
                    let value = sum(item.get(&to), &values[more.trim()])?;
                    item.insert(to, value);
                }
                other => return Err(format!("no rule for `{other}` in `{expression}`")),
            }
        }
    }
    Ok(())
}

/// Numbers are added, sets united.
fn sum(one: Option<&Value>, other: &Value) -> Result<Value, String> {
    let number = |value: &Value| value["N"].as_str().and_then(|text| text.parse::<i64>().ok());
    let members = |value: &Value| -> Option<Vec<Value>> { value["SS"].as_array().cloned() };
    match (one, number(other), members(other)) {
        (None, ..) => Ok(other.clone()),
        (Some(one), Some(more), _) => {
            let sum = number(one).ok_or("a number is added to what is none")? + more;
            Ok(json!({ "N": sum.to_string() }))
        }
        (Some(one), _, Some(more)) => {
            let mut all = members(one).ok_or("a set is added to what is none")?;
            all.extend(
                more.into_iter().filter(|member| !one["SS"].as_array().is_some_and(|of| of.contains(member))),
            );
            Ok(json!({ "SS": all }))
        }
        _ => Err(format!("no rule for adding {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let index = |name: &str, key: &str, projection: Value| json!({ "IndexName": name, "KeySchema": [{ "AttributeName": key, "KeyType": "HASH" }], "Projection": projection });
        let keys = [("pk", "HASH"), ("sk", "RANGE")];
        let keys = keys.map(|(name, kind)| json!({ "AttributeName": name, "KeyType": kind }));
        let described = json!({
            "KeySchema": keys,
            "GlobalSecondaryIndexes": [
                index("due", "due", json!({ "ProjectionType": "KEYS_ONLY" })),
                index("live", "live", json!({ "ProjectionType": "INCLUDE", "NonKeyAttributes": ["state"] })),
            ],
        });
        Table::described(&described).unwrap()
    }

    fn item(more: &Value) -> Value {
        let mut item = json!({ "pk": { "S": "p" }, "sk": { "S": "s" } });
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        item
    }

    fn charged(table: &mut Table, operation: &str, body: &Value) -> Vec<(String, &'static str, usize)> {
        let charges = table.charge(operation, body).unwrap();
        charges.into_iter().map(|charge| (charge.what, charge.how, charge.write_units)).collect()
    }

    fn put(more: &Value) -> Value {
        json!({ "Item": item(more) })
    }

    #[test]
    fn a_size_is_names_and_values() {
        // `pk` and `sk` with a letter each are 6 bytes.
        for (attribute, bytes) in [
            (json!({ "S": "äb" }), 3),
            (json!({ "N": "12300" }), 3),
            (json!({ "N": "-0.5" }), 2),
            (json!({ "N": "0" }), 1),
            (json!({ "BOOL": false }), 1),
            (json!({ "NULL": true }), 1),
            (json!({ "SS": ["ab", "c"] }), 3),
            (json!({ "B": "QQ==" }), 1),
            (json!({ "B": "QUJDRA==" }), 4),
            (json!({ "BS": ["QUI=", "QUJD"] }), 5),
            (json!({ "L": [] }), 3),
            (json!({ "L": [{ "S": "ab" }] }), 6),
            (json!({ "M": { "ab": { "S": "c" } } }), 7),
        ] {
            let whole = item(&json!({ "name": attribute }));
            assert_eq!(size(whole.as_object().unwrap()), 6 + 4 + bytes, "{attribute}");
        }
    }

    #[test]
    fn a_transaction_doubles_the_tables_part_and_no_indexes() {
        let text = |bytes: usize| json!({ "a": { "S": "x".repeat(bytes) }, "due": { "S": "1" } });
        // 6 bytes of keys, 1 of `a`, 4 of `due`.
        let most = 1024 - 11;
        let due = |units| ("due: p s".to_owned(), "index entry comes", units);
        let one = ("p s".to_owned(), "put", 1);
        assert_eq!(charged(&mut table(), "PutItem", &put(&text(most))), [one, due(1)]);
        let two = ("p s".to_owned(), "put", 2);
        assert_eq!(charged(&mut table(), "PutItem", &put(&text(most + 1))), [two.clone(), due(1)]);
        let transaction = json!({ "TransactItems": [{ "Put": put(&text(most)) }] });
        assert_eq!(charged(&mut table(), "TransactWriteItems", &transaction), [two, due(1)]);
    }

    #[test]
    fn a_check_costs_what_writing_its_item_would() {
        let key = json!({ "Key": { "pk": { "S": "p" }, "sk": { "S": "s" } } });
        let check = json!({ "TransactItems": [{ "ConditionCheck": key }] });
        let mut table = table();
        let costs = |units| [("p s".to_owned(), "check", units)];
        assert_eq!(charged(&mut table, "TransactWriteItems", &check), costs(2));
        table.charge("PutItem", &put(&json!({ "a": { "S": "x".repeat(2500) } }))).unwrap();
        assert_eq!(charged(&mut table, "TransactWriteItems", &check), costs(6));
    }

    #[test]
    fn an_index_costs_by_what_changes_in_it() {
        let mut table = table();
        let mut next = |due: Option<&str>, state: &str, other: &str| {
            let mut more = json!({ "live": { "S": "t" }, "state": { "S": state }, "other": { "S": other } });
            if let Some(due) = due {
                more["due"] = json!({ "S": due });
            }
            charged(&mut table, "PutItem", &put(&more)).split_off(1)
        };
        let of = |index: &str, how, units| (format!("{index}: p s"), how, units);
        let comes = [of("due", "index entry comes", 1), of("live", "index entry comes", 1)];
        assert_eq!(next(Some("1"), "open", ""), comes);
        assert_eq!(next(Some("1"), "open", "not projected"), []);
        assert_eq!(next(Some("2"), "open", ""), [of("due", "index entry moves", 2)]);
        assert_eq!(next(Some("2"), "closed", ""), [of("live", "index entry changes", 1)]);
        assert_eq!(next(None, "closed", ""), [of("due", "index entry goes", 1)]);
    }

    #[test]
    fn an_update_is_charged_by_the_larger_item() {
        let mut table = table();
        let long = "x".repeat(1500);
        table
            .charge("PutItem", &put(&json!({ "a": { "S": long }, "n": { "N": "4" }, "s": { "SS": ["g"] } })))
            .unwrap();
        let update = json!({
            "Key": { "pk": { "S": "p" }, "sk": { "S": "s" } },
            "UpdateExpression": "SET #n = #n + :one, due = :due REMOVE a ADD s :more",
            "ExpressionAttributeNames": { "#n": "n" },
            "ExpressionAttributeValues": { ":one": { "N": "1" }, ":due": { "S": "9" }, ":more": { "SS": ["g", "h"] } },
        });
        let changed = charged(&mut table, "UpdateItem", &update);
        assert_eq!(
            changed,
            [("p s".to_owned(), "update", 2), ("due: p s".to_owned(), "index entry comes", 1)]
        );
        let now = table.items.values().next().unwrap();
        assert_eq!(now.get("a"), None);
        assert_eq!(
            (&now["n"], &now["s"], &now["due"]),
            (&json!({ "N": "5" }), &json!({ "SS": ["g", "h"] }), &json!({ "S": "9" }))
        );
    }

    #[test]
    fn reads_cost_by_four_kilobytes_and_half_if_they_may_lag() {
        let mut table = table();
        let mut read = |consistent: bool| {
            let get =
                json!({ "Key": { "pk": { "S": "p" }, "sk": { "S": "s" } }, "ConsistentRead": consistent });
            table.charge("GetItem", &get).unwrap()[0].half_read_units
        };
        assert_eq!((read(false), read(true)), (1, 2));
        table.charge("PutItem", &put(&json!({ "a": { "S": "x".repeat(5000) } }))).unwrap();
        let get = json!({ "Key": { "pk": { "S": "p" }, "sk": { "S": "s" } }, "ConsistentRead": true });
        assert_eq!(table.charge("GetItem", &get).unwrap()[0].half_read_units, 4);
    }

    #[test]
    fn a_range_of_keys_costs_what_stands_in_it() {
        let mut table = table();
        for sk in ["a", "b", "c", "d"] {
            let item = json!({ "pk": { "S": "p" }, "sk": { "S": sk }, "text": { "S": "x".repeat(3000) } });
            table.charge("PutItem", &json!({ "Item": item })).unwrap();
        }
        let mut query = json!({
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :from AND :to", "ConsistentRead": true,
            "ExpressionAttributeValues": { ":pk": { "S": "p" }, ":from": { "S": "b" }, ":to": { "S": "d" } },
        });
        let mut units = |query: &Value| table.charge("Query", query).unwrap()[0].half_read_units;
        assert_eq!(units(&query), 6, "9 KB, together");
        query["Limit"] = json!(1);
        assert_eq!(units(&query), 2);
        query["IndexName"] = json!("due");
        assert_eq!(units(&query), 2, "what is in an index is not followed");
    }

    #[test]
    fn what_there_is_no_rule_for_is_not_free() {
        assert!(table().charge("BatchWriteItem", &json!({})).is_err());
        assert!(
            table().charge("TransactWriteItems", &json!({ "TransactItems": [{ "Delete": {} }] })).is_err()
        );
    }
}
