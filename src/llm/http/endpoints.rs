//! One model behind several servers.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use shiftproof_search::{
    BatchInterface, Capabilities, ClientTraffic, Llm, LlmError, ModelCall, RequestAllowance,
    Unlimited,
};
use shiftproof_tasks::{Reply, Request};
use tokio::time::{Instant, sleep_until};

use super::affinity::PromptAffinity;
use super::{ConnectError, HttpConfig, HttpLlm, ServerAbilities};

/// How often a call looks whether an endpoint has room, where none has.
const LOOK: Duration = Duration::from_millis(20);

/// One model behind one or several servers, a [`Llm`] like any other.
///
/// The calls of one prompt go to the same endpoint as long as it has room, so that its
/// prefix cache serves them (weighted rendezvous hashing over prompts, which are told
/// apart by how much of their beginning requests share); what it has no room for goes
/// to the next. An endpoint that does not answer, throttles or refuses us is
/// left alone for a while, longer each time, then tried by a single call; meanwhile its
/// calls go to the others. Each request beyond a call's first is allowed by the run
/// before it is sent, whoever gets it, so limits hold as with one server; a request
/// that timed out may be billed and is counted so.
///
/// Replies are stored under the identity of the first endpoint: all are taken for the
/// same model. Clones share everything.
#[derive(Clone)]
pub struct HttpEndpoints {
    members: Arc<[Endpoint]>,
    affinity: Arc<PromptAffinity>,
    patience: EndpointPatience,
}

/// How long it is waited for endpoints, by the configuration of the first.
#[derive(Debug, Clone, Copy)]
struct EndpointPatience {
    /// Failures in a row after the first, of every endpoint, that are waited out.
    retries: u32,
    /// How long one is left alone after its first failure; doubles with each.
    rest: Duration,
    /// The longest it is left alone, unless it asks for more.
    longest: Duration,
}

struct Endpoint {
    llm: HttpLlm,
    weight: f64,
    in_flight: AtomicUsize,
    health: Mutex<EndpointHealth>,
}

#[derive(Debug, Clone, Default)]
struct EndpointHealth {
    /// Failures since the last answer.
    failures: u32,
    /// Left alone until then.
    until: Option<Instant>,
    /// It refuses us whatever we ask; it is not asked again.
    refused: Option<String>,
    /// The last failure.
    why: String,
}

/// Gives an endpoint's place back, also when the call is dropped.
struct InFlight<'a>(&'a AtomicUsize);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl fmt::Debug for HttpEndpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self.members.iter().map(|own| own.llm.address());
        f.debug_list().entries(addresses).finish()
    }
}

impl HttpEndpoints {
    /// Connects every endpoint, given with its weight (above 0), as
    /// [`HttpLlm::connect`] does. All must answer, and be able to do the same.
    pub async fn connect(endpoints: Vec<(HttpConfig, f64)>) -> Result<Self, ConnectError> {
        let several = endpoints.len() > 1;
        let Some((own, _)) = endpoints.first() else {
            return Err(ConnectError::Config("no endpoint is named".to_owned()));
        };
        let patience = EndpointPatience {
            retries: own.max_retries,
            rest: own.retry_wait,
            longest: own.max_wait,
        };
        let connecting = endpoints.into_iter().map(|(config, weight)| async move {
            let config = HttpConfig {
                hands_over: several,
                ..config
            };
            HttpLlm::connect(config).await.map(|llm| (llm, weight))
        });
        let connected: Result<Vec<_>, _> = join_all(connecting).await.into_iter().collect();
        let connected = connected?;
        let first = &connected[0].0;
        for (other, _) in &connected[1..] {
            if let Some(differs) = first.abilities().differ(other.abilities()) {
                return Err(ConnectError::Unsupported(format!(
                    "the endpoints {} and {} differ: {differs}; the replies of a run must not \
                     depend on who gave them",
                    first.address(),
                    other.address(),
                )));
            }
        }
        Ok(Self::of(connected, patience))
    }

    fn of(connected: Vec<(HttpLlm, f64)>, patience: EndpointPatience) -> Self {
        let members = connected.into_iter().map(|(llm, weight)| Endpoint {
            llm,
            weight,
            in_flight: AtomicUsize::new(0),
            health: Mutex::default(),
        });
        Self {
            members: members.collect(),
            affinity: Arc::default(),
            patience,
        }
    }

    /// The same endpoints, each as `change` makes it, with health of their own.
    fn map(&self, change: impl Fn(&HttpLlm) -> HttpLlm) -> Self {
        let members = self.members.iter();
        let changed = members.map(|own| (change(&own.llm), own.weight)).collect();
        Self::of(changed, self.patience)
    }

    fn first(&self) -> &HttpLlm {
        &self.members[0].llm
    }

    /// As [`HttpLlm::rehearse`]; the first endpoint is asked, for all.
    pub async fn rehearse(self, calls: &[ModelCall]) -> Result<Self, LlmError> {
        let first = self.first().clone().rehearse(calls).await?;
        if first.abilities() == self.first().abilities() {
            return Ok(self);
        }
        let found = first.abilities().clone();
        Ok(self.map(|own| own.knowing(found.clone())))
    }

    /// As [`HttpLlm::proposing`].
    pub fn proposing(&self) -> Option<Self> {
        self.first().proposing()?;
        Some(self.map(|own| own.proposing().unwrap_or_else(|| own.clone())))
    }

    /// What was found at start-up, of all alike.
    pub fn abilities(&self) -> &ServerAbilities {
        self.first().abilities()
    }

    /// What was found at start-up, in one sentence for a person.
    pub fn probe_report(&self) -> String {
        let told = self.first().probe_report();
        if self.members.len() == 1 {
            return told.to_owned();
        }
        let addresses: Vec<&str> = self.members.iter().map(|own| own.llm.address()).collect();
        format!(
            "{told}; {} endpoints: {}",
            addresses.len(),
            addresses.join(", ")
        )
    }

    /// The endpoints in the order in which a call asks them.
    fn order(&self, call: &ModelCall) -> Vec<usize> {
        if self.members.len() == 1 {
            return vec![0];
        }
        let prompt = self.affinity.prompt_of(&call.request);
        let mut order: Vec<(f64, usize)> = (0..self.members.len())
            .map(|at| {
                let own = &self.members[at];
                let mut hasher = DefaultHasher::new();
                (own.llm.address(), prompt).hash(&mut hasher);
                // Weighted rendezvous hashing: −w / ln u with u in (0, 1).
                let share = (hasher.finish() >> 11) as f64 + 0.5;
                (-own.weight / (share / (1_u64 << 53) as f64).ln(), at)
            })
            .collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        order.into_iter().map(|(_, at)| at).collect()
    }

    /// Whom to ask now: the first that is well and has room, those last that have failed
    /// this call.
    fn pick(&self, order: &[usize], tried: &BTreeSet<usize>) -> Option<usize> {
        let takes = |at: &&usize| self.members[**at].is_well() && self.members[**at].llm.has_room();
        let mut able: Vec<usize> = order.iter().filter(takes).copied().collect();
        able.sort_by_key(|at| tried.contains(at));
        able.first().copied()
    }

    /// Whether every endpoint has failed as often in a row as one server would be asked.
    fn is_exhausted(&self) -> bool {
        self.members.iter().all(|own| {
            let health = own.health();
            health.refused.is_some() || health.failures > self.patience.retries
        })
    }

    /// When to look again for one that takes the call; `None` where all refuse us.
    fn next_look(&self) -> Option<Instant> {
        let looks = self.members.iter().filter_map(|own| {
            let health = own.health();
            let soon = Instant::now() + LOOK;
            (health.refused.is_none()).then(|| health.until.map_or(soon, |until| until.max(soon)))
        });
        looks.min()
    }

    /// Who does not answer, in a sentence.
    fn unwell(&self) -> Option<String> {
        let faults: Vec<String> = self
            .members
            .iter()
            .filter_map(|own| {
                let health = own.health();
                let rests = health.until.is_some() || health.refused.is_some();
                rests.then(|| health.why.clone())
            })
            .collect();
        (!faults.is_empty()).then(|| {
            format!(
                "{} of {} endpoints answer; {}",
                self.members.len() - faults.len(),
                self.members.len(),
                faults.join("; ")
            )
        })
    }
}

impl Endpoint {
    fn health(&self) -> MutexGuard<'_, EndpointHealth> {
        // Plain values, valid even if a holder panicked.
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it may be asked: after a failure by one call at a time.
    fn is_well(&self) -> bool {
        let health = self.health();
        let rests = health.until.is_some_and(|until| until > Instant::now());
        let tried = health.failures > 0 && self.in_flight.load(Relaxed) > 0;
        health.refused.is_none() && !rests && !tried
    }

    fn answered(&self) {
        *self.health() = EndpointHealth::default();
    }

    /// `refuses`: it would refuse whatever else it were asked.
    fn failed(&self, why: &str, refuses: bool, patience: EndpointPatience) {
        let mut health = self.health();
        why.clone_into(&mut health.why);
        if refuses {
            health.refused = Some(why.to_owned());
        }
        let rest = patience.rest.saturating_mul(1 << health.failures.min(20));
        let rest = rest.min(patience.longest);
        health.failures = health.failures.saturating_add(1);
        health.until = Some(Instant::now() + rest.max(self.llm.pause()));
    }
}

#[async_trait]
impl Llm for HttpEndpoints {
    fn identity(&self) -> &str {
        self.first().identity()
    }

    /// Calls at once: those of all endpoints together.
    fn capabilities(&self) -> Capabilities {
        let concurrency = |own: &Endpoint| own.llm.capabilities().concurrency;
        Capabilities {
            concurrency: self.members.iter().map(concurrency).sum(),
            ..self.first().capabilities()
        }
    }

    fn estimate_tokens(&self, request: &Request) -> u64 {
        self.first().estimate_tokens(request)
    }

    fn status(&self) -> Option<String> {
        let own = self.members.iter().find_map(|own| own.llm.status());
        self.unwell().or(own)
    }

    fn traffic(&self) -> Option<ClientTraffic> {
        let traffic = self.members.iter().filter_map(|own| own.llm.traffic());
        traffic.reduce(|sum, own| ClientTraffic {
            in_flight: sum.in_flight + own.in_flight,
            limit: sum.limit + own.limit,
            waiting: sum.waiting + own.waiting,
            retries: sum.retries + own.retries,
            rate_limited: sum.rate_limited + own.rate_limited,
        })
    }

    /// Of the first endpoint: a batch is submitted to one server and collected there.
    fn batches(&self) -> Option<&dyn BatchInterface> {
        self.first().batches()
    }

    fn probes(&self) -> u64 {
        self.members.iter().map(|own| own.llm.probes()).sum()
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        self.call_within(call, &Unlimited).await
    }

    async fn call_within(
        &self,
        call: &ModelCall,
        allowance: &dyn RequestAllowance,
    ) -> Result<Reply, LlmError> {
        if let [only] = &*self.members {
            return only.llm.call_within(call, allowance).await;
        }
        let order = self.order(call);
        let mut tried = BTreeSet::new();
        let (mut failures, mut last): (usize, Option<LlmError>) = (0, None);
        loop {
            let Some(at) = self.pick(&order, &tried) else {
                // Everyone rests, is busy or refuses.
                let Some(look) = self.next_look() else {
                    return Err(self.why());
                };
                if self.is_exhausted() {
                    return Err(last.unwrap_or_else(|| self.why()));
                }
                sleep_until(look).await;
                continue;
            };
            if let Some(why) = last.take()
                && !allowance.another().await
            {
                return Err(super::client::unaffordable(why));
            }
            let own = &self.members[at];
            own.in_flight.fetch_add(1, Relaxed);
            let _place = InFlight(&own.in_flight);
            let error = match own.llm.call_within(call, allowance).await {
                Ok(reply) => {
                    own.answered();
                    return Ok(reply);
                }
                // The server is well, and this request is not.
                Err(error @ (LlmError::Request(_) | LlmError::Unaffordable(_))) => {
                    return Err(error);
                }
                Err(error) => error,
            };
            let refuses = matches!(error, LlmError::Rejected(_));
            own.failed(&error.to_string(), refuses, self.patience);
            tried.insert(at);
            failures += 1;
            if failures >= self.members.len() * (self.patience.retries as usize + 1) {
                // The others' calls are answered: it is this one.
                return Err(error);
            }
            last = Some(error);
        }
    }
}

impl HttpEndpoints {
    /// Why no endpoint takes calls.
    fn why(&self) -> LlmError {
        let health = self.members.iter().map(|own| own.health().clone());
        let (refusing, failing): (Vec<_>, Vec<_>) = health.partition(|own| own.refused.is_some());
        let told = |of: &[EndpointHealth]| {
            let why: Vec<&str> = of.iter().map(|own| own.why.as_str()).collect();
            format!("no endpoint takes calls: {}", why.join("; "))
        };
        if failing.is_empty() {
            LlmError::Rejected(told(&refusing))
        } else {
            LlmError::Unavailable(told(&failing))
        }
    }
}
