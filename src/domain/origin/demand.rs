//! Which rules decide about a request.

use crate::domain::method;
use crate::domain::origin::prefix::{Prefix, readings};
use crate::domain::origin::rule::Rule;
use crate::domain::origin::table::Rules;
use crate::domain::path_readings;

/// What a request needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand<'r> {
    /// Nothing: it is public.
    Nothing,
    /// Somebody for whom these rules hold, those with `deny` among them.
    Rules(Vec<&'r Rule>),
    /// Another method: the rules of the path have only these.
    Methods(Vec<String>),
}

/// What a request needs, and which rules only say what they would have refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched<'r> {
    /// What it needs.
    pub demand: Demand<'r>,
    /// The rules with `report` that are as specific as those that decide, or more.
    pub reports: Vec<&'r Rule>,
}

impl Matched<'_> {
    /// What two requests need together: where a proxy names two, either may be the client's.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let demand = match (self.demand, other.demand) {
            (Demand::Nothing, demand) | (demand, Demand::Nothing) => demand,
            (Demand::Methods(allow), _) | (_, Demand::Methods(allow)) => Demand::Methods(allow),
            (Demand::Rules(first), Demand::Rules(second)) => {
                Demand::Rules(in_order(first.into_iter().chain(second)))
            }
        };
        Self { demand, reports: in_order(self.reports.into_iter().chain(other.reports)) }
    }
}

/// What one reading of a path needs.
#[derive(Default)]
struct OfReading<'r> {
    is_free: bool,
    rules: Vec<&'r Rule>,
    methods: Option<Vec<String>>,
    reports: Vec<&'r Rule>,
}

impl Rules {
    /// What a request with this method to this path (as it was sent, without its query) of this
    /// host (as `host_of` writes it) needs; the error is the phrase that follows "url".
    pub fn demand(&self, method: &str, host: &str, path: &str) -> Result<Matched<'_>, String> {
        Ok(self.demand_of_all(method, host, &readings(path)?))
    }

    /// The same where a proxy sends the path on as the client wrote it. A runtime that resolves dot
    /// segments counts empty ones, so that `/static//../reports` stays below `/static`. Servers
    /// that drop empty ones first read `/reports`.
    pub fn demand_as_written(
        &self,
        method: &str,
        host: &str,
        path: &str,
    ) -> Result<Matched<'_>, String> {
        let mut readings = readings(path)?;
        readings.extend(path_readings::all(path)?);
        Ok(self.demand_of_all(method, host, &readings))
    }

    fn demand_of_all(&self, method: &str, host: &str, readings: &[Vec<u8>]) -> Matched<'_> {
        let of_readings: Vec<_> =
            readings.iter().map(|reading| self.demand_of(method, host, reading)).collect();
        let reports = in_order(of_readings.iter().flat_map(|of| of.reports.iter().copied()));
        let demand = if of_readings.iter().all(|of| of.is_free) {
            Demand::Nothing
        } else if let Some(allow) = of_readings.iter().find_map(|of| of.methods.clone()) {
            Demand::Methods(allow)
        } else {
            Demand::Rules(in_order(of_readings.iter().flat_map(|of| of.rules.iter().copied())))
        };
        Matched { demand, reports }
    }

    /// The longest prefix that begins a reading decides, if a rule of it puts those of shorter ones
    /// out of force. Each longer one counts too, as one that begins the reading only if a suffix is
    /// cut off.
    fn demand_of(&self, method: &str, host: &str, reading: &[u8]) -> OfReading<'_> {
        let taking: Vec<_> = self
            .rules
            .iter()
            .filter(|rule| rule.takes_host(host) && rule.takes_reading(reading))
            .collect();
        let groups = by_prefix(&taking);
        let decides = |group: &&Vec<&Rule>| {
            let is_exact =
                group.first().is_some_and(|rule| rule.prefix.begins_in_any_case(reading));
            is_exact && group.iter().any(|rule| rule.replaces_shorter())
        };
        let decisive = groups.iter().find(decides);
        let mut found = OfReading::default();
        for group in groups
            .iter()
            .filter(|group| decisive.is_none_or(|decisive| length(group) > length(decisive)))
        {
            found.take(method, group);
        }
        if let Some(group) = decisive {
            let is_free = found.take(method, group);
            found.is_free = is_free && found.rules.is_empty() && found.methods.is_none();
        }
        let public =
            self.public.iter().filter(|prefix| prefix.begins(reading)).map(Prefix::len).max();
        let bound = taking.iter().filter(|rule| !rule.report).map(|rule| rule.prefix.len()).max();
        if public.is_some() && public > bound {
            found.is_free = true;
            found.reports.retain(|rule| Some(rule.prefix.len()) >= public);
        }
        found
    }
}

impl<'r> OfReading<'r> {
    /// Takes the rules of one prefix in, as far as they take the method. Answers whether they leave
    /// the path free.
    fn take(&mut self, method: &str, group: &[&'r Rule]) -> bool {
        let of_method = || group.iter().copied().filter(|rule| rule.takes_method(method));
        self.reports.extend(of_method().filter(|rule| rule.report));
        self.rules.extend(of_method().filter(|rule| !rule.report && !rule.replaces_shorter()));
        let deciding = || group.iter().copied().filter(|rule| rule.replaces_shorter());
        let mut of_method = deciding().filter(|rule| rule.takes_method(method)).peekable();
        if deciding().next().is_some() && of_method.peek().is_none() {
            self.methods.get_or_insert_with(|| allowed(deciding()));
            return false;
        }
        let before = self.rules.len();
        self.rules.extend(of_method.filter(|rule| !rule.public));
        self.rules.len() == before
    }
}

/// The methods that some of the rules name, in the order in which people know them.
fn allowed<'r>(rules: impl Iterator<Item = &'r Rule>) -> Vec<String> {
    let mut allow: Vec<_> = rules.flat_map(|rule| rule.methods.clone()).collect();
    allow.extend(allow.iter().any(|name| name == "GET").then(|| "HEAD".to_owned()));
    let place = |name: &String| {
        method::KNOWN.iter().position(|known| known == name).unwrap_or(method::KNOWN.len())
    };
    allow.sort_by(|a, b| (place(a), a).cmp(&(place(b), b)));
    allow.dedup();
    allow
}

/// The rules of each prefix, the longest prefix first. Of the rules of one prefix, those for the
/// host are more specific than those for all hosts, and put them out of force.
fn by_prefix<'r>(rules: &[&'r Rule]) -> Vec<Vec<&'r Rule>> {
    let mut groups: Vec<Vec<&Rule>> = Vec::new();
    for rule in rules {
        let of_prefix = |group: &&mut Vec<&Rule>| {
            group.first().is_some_and(|first| first.prefix.is_same_in_any_case(&rule.prefix))
        };
        match groups.iter_mut().find(of_prefix) {
            Some(group) => group.push(rule),
            None => groups.push(vec![rule]),
        }
    }
    for group in &mut groups {
        if group.iter().any(|rule| rule.host.is_some() && rule.replaces_shorter()) {
            group.retain(|rule| rule.host.is_some() || !rule.replaces_shorter());
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(length(group)));
    groups
}

/// The length of the prefix of a group.
fn length(group: &[&Rule]) -> usize {
    group.iter().map(|rule| rule.prefix.len()).max().unwrap_or_default()
}

/// Each rule once, in the order in which they are asked: those that ask for a permission by
/// service.
fn in_order<'r>(rules: impl Iterator<Item = &'r Rule>) -> Vec<&'r Rule> {
    let mut rules: Vec<_> = rules.collect();
    rules.sort_by_cached_key(|rule| (rule.permissions().next(), rule.number));
    rules.dedup_by_key(|rule| rule.number);
    rules
}
