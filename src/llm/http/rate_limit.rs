//! How much may be in flight: adaptive concurrency, pauses and rates.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

/// What a client is doing, for a progress screen; a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HttpStats {
    /// Attempts on the wire now.
    pub in_flight: usize,
    /// Attempts allowed on the wire now, at least 1.
    pub limit: usize,
    /// Calls that wait now: for a retry, a pause the server asked for, or a rate.
    pub waiting: usize,
    /// Attempts sent so far.
    pub attempts: u64,
    /// Attempts that were retries.
    pub retries: u64,
    /// Answers that said "too many requests" or "overloaded".
    pub rate_limited: u64,
    /// Time spent waiting so far, summed over calls.
    pub waited: Duration,
}

/// Running totals behind [`HttpStats`].
#[derive(Debug, Default)]
pub(super) struct TrafficCounters {
    waiting: AtomicUsize,
    attempts: AtomicU64,
    pub(super) retries: AtomicU64,
    rate_limited: AtomicU64,
    waited_micros: AtomicU64,
}

impl TrafficCounters {
    /// Awaits `future`, counted as waiting.
    async fn waiting<T>(&self, future: impl Future<Output = T>) -> T {
        struct WaitingGuard<'a>(&'a TrafficCounters, Instant);
        impl Drop for WaitingGuard<'_> {
            fn drop(&mut self) {
                self.0.waiting.fetch_sub(1, Relaxed);
                let micros = u64::try_from(self.1.elapsed().as_micros()).unwrap_or(u64::MAX);
                self.0.waited_micros.fetch_add(micros, Relaxed);
            }
        }
        self.waiting.fetch_add(1, Relaxed);
        let _guard = WaitingGuard(self, Instant::now());
        future.await
    }
}

/// Gate that every attempt passes.
///
/// Concurrency adapts by additive increase and multiplicative decrease: a
/// throttled answer halves the limit, a success adds `1 / limit`, so that a
/// full round of successes adds one. The limit never falls below one: a single
/// probe always goes, hence sustained throttling slows a run but cannot freeze
/// it.
#[derive(Debug)]
pub(super) struct RateLimiter {
    state: Mutex<LimiterState>,
    freed: Notify,
    max: usize,
    requests: Option<TokenBucket>,
    tokens: Option<TokenBucket>,
    pub(super) counters: TrafficCounters,
}

#[derive(Debug)]
struct LimiterState {
    limit: f64,
    in_flight: usize,
    /// Nothing is sent before this: the server asked for a pause.
    not_before: Instant,
    /// The last decrease. Throttled answers to attempts sent before it tell
    /// nothing new.
    decreased: Instant,
}

impl RateLimiter {
    pub(super) fn new(concurrency: usize, requests: Option<u32>, tokens: Option<u32>) -> Self {
        let now = Instant::now();
        let max = concurrency.max(1);
        Self {
            state: Mutex::new(LimiterState {
                limit: max as f64,
                in_flight: 0,
                not_before: now,
                decreased: now,
            }),
            freed: Notify::new(),
            max,
            requests: requests.map(TokenBucket::per_minute),
            tokens: tokens.map(TokenBucket::per_minute),
            counters: TrafficCounters::default(),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, LimiterState> {
        // The state is plain numbers: valid even if a holder panicked.
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Waits until an attempt of about `tokens` tokens may be sent.
    pub(super) async fn admit(&self, tokens: u64) -> AttemptPermit<'_> {
        for (bucket, cost) in [(&self.requests, 1), (&self.tokens, tokens)] {
            let Some(bucket) = bucket else { continue };
            let delay = bucket.take(cost);
            if !delay.is_zero() {
                self.counters.waiting(sleep(delay)).await;
            }
        }
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            // Registered before the check, so that no wake-up is lost.
            freed.as_mut().enable();
            let pause = {
                let mut state = self.state();
                let now = Instant::now();
                if state.not_before > now {
                    Some(state.not_before)
                } else if state.in_flight < state.limit as usize {
                    state.in_flight += 1;
                    self.counters.attempts.fetch_add(1, Relaxed);
                    return AttemptPermit {
                        limiter: self,
                        sent: now,
                        reserved: tokens,
                    };
                } else {
                    None
                }
            };
            match pause {
                Some(until) => self.counters.waiting(sleep_until(until)).await,
                None => freed.await,
            }
        }
    }

    /// Whether an attempt would be sent at once.
    pub(super) fn has_room(&self) -> bool {
        let buckets = [&self.requests, &self.tokens];
        let in_debt = |bucket: &TokenBucket| !bucket.take(0).is_zero();
        let free = {
            let state = self.state();
            state.not_before <= Instant::now() && state.in_flight < state.limit as usize
        };
        free && !buckets.into_iter().flatten().any(in_debt)
    }

    /// How long the server asked to be left alone, from now on.
    pub(super) fn pause(&self) -> Duration {
        let until = self.state().not_before;
        until.saturating_duration_since(Instant::now())
    }

    /// Waits before a retry, without holding a permit.
    pub(super) async fn back_off(&self, wait: Duration) {
        self.counters.retries.fetch_add(1, Relaxed);
        self.counters.waiting(sleep(wait)).await;
    }

    pub(super) fn stats(&self) -> HttpStats {
        let (in_flight, limit) = {
            let state = self.state();
            (state.in_flight, state.limit as usize)
        };
        HttpStats {
            in_flight,
            limit,
            waiting: self.counters.waiting.load(Relaxed),
            attempts: self.counters.attempts.load(Relaxed),
            retries: self.counters.retries.load(Relaxed),
            rate_limited: self.counters.rate_limited.load(Relaxed),
            waited: Duration::from_micros(self.counters.waited_micros.load(Relaxed)),
        }
    }
}

/// Leave to have one attempt in flight; returned on drop.
pub(super) struct AttemptPermit<'a> {
    limiter: &'a RateLimiter,
    sent: Instant,
    reserved: u64,
}

impl AttemptPermit<'_> {
    /// The attempt succeeded and used `tokens`: the limit may grow.
    pub(super) fn succeeded(self, tokens: u64) {
        if let Some(bucket) = &self.limiter.tokens {
            bucket.settle(self.reserved, tokens);
        }
        let mut state = self.limiter.state();
        let before = state.limit as usize;
        state.limit = (state.limit + 1.0 / state.limit).min(self.limiter.max as f64);
        if state.limit as usize > before {
            self.limiter.freed.notify_one();
        }
    }

    /// The attempt failed for a reason that says nothing about load.
    pub(super) fn failed(self) {
        if let Some(bucket) = &self.limiter.tokens {
            bucket.settle(self.reserved, 0);
        }
    }

    /// The server is overloaded: halve the limit, and send nothing for `pause`.
    pub(super) fn throttled(self, pause: Option<Duration>) {
        self.limiter.counters.rate_limited.fetch_add(1, Relaxed);
        {
            let mut state = self.limiter.state();
            let now = Instant::now();
            if self.sent >= state.decreased {
                state.limit = (state.limit / 2.0).max(1.0);
                state.decreased = now;
            }
            if let Some(pause) = pause {
                state.not_before = state.not_before.max(now + pause);
            }
        }
        self.failed();
    }
}

impl Drop for AttemptPermit<'_> {
    fn drop(&mut self) {
        self.limiter.state().in_flight -= 1;
        self.limiter.freed.notify_one();
    }
}

/// A token bucket that lends: a cost is taken at once, and whoever overdraws
/// waits until the debt is refilled. First come, first served, and a cost above
/// the capacity is still served. Holds six seconds' worth.
#[derive(Debug)]
struct TokenBucket {
    per_second: f64,
    capacity: f64,
    level: Mutex<(f64, Instant)>,
}

impl TokenBucket {
    fn per_minute(rate: u32) -> Self {
        let per_second = f64::from(rate.max(1)) / 60.0;
        let capacity = (per_second * 6.0).max(1.0);
        Self {
            per_second,
            capacity,
            level: Mutex::new((capacity, Instant::now())),
        }
    }

    /// Takes `cost` and returns how long to wait before it may be used.
    fn take(&self, cost: u64) -> Duration {
        let mut level = self
            .level
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = Instant::now();
        let refill = now.duration_since(level.1).as_secs_f64() * self.per_second;
        *level = ((level.0 + refill).min(self.capacity) - cost as f64, now);
        Duration::from_secs_f64((-level.0 / self.per_second).max(0.0))
    }

    /// Corrects a cost that was taken as `reserved` and turned out as `used`.
    fn settle(&self, reserved: u64, used: u64) {
        let mut level = self
            .level
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        level.0 = (level.0 + reserved as f64 - used as f64).min(self.capacity);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn throttling_halves_once_per_round() {
        let limiter = RateLimiter::new(8, None, None);
        let mut round = Vec::new();
        for _ in 0..8 {
            round.push(limiter.admit(0).await);
        }
        assert_eq!(limiter.stats().in_flight, 8);
        tokio::time::advance(Duration::from_millis(1)).await;
        for permit in round {
            permit.throttled(None);
        }
        assert_eq!(
            limiter.stats().limit,
            4,
            "eight refusals of one round are one signal"
        );
        assert_eq!(limiter.stats().rate_limited, 8);
        for expected in [2, 1, 1, 1] {
            tokio::time::advance(Duration::from_millis(1)).await;
            let permit = limiter.admit(0).await;
            tokio::time::advance(Duration::from_millis(1)).await;
            permit.throttled(None);
            assert_eq!(limiter.stats().limit, expected);
        }
        for _ in 0..40 {
            limiter.admit(0).await.succeeded(0);
        }
        assert_eq!(
            limiter.stats().limit,
            8,
            "grows back to the maximum and no further"
        );
        assert_eq!(limiter.stats().in_flight, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn pause_holds_everyone_back() {
        let limiter = RateLimiter::new(2, None, None);
        let permit = limiter.admit(0).await;
        permit.throttled(Some(Duration::from_secs(7)));
        let start = Instant::now();
        drop(limiter.admit(0).await);
        assert_eq!(start.elapsed().as_secs(), 7);
        assert_eq!(limiter.stats().waited.as_secs(), 7);
        assert_eq!(limiter.stats().waiting, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn dropped_waiter_takes_nothing() {
        let limiter = RateLimiter::new(1, None, None);
        let held = limiter.admit(0).await;
        {
            let waiter = limiter.admit(0);
            tokio::pin!(waiter);
            assert!(futures::poll!(waiter.as_mut()).is_pending());
            drop(held);
            // Dropped after it was woken, before it ran.
        }
        let again = tokio::time::timeout(Duration::from_secs(1), limiter.admit(0)).await;
        assert!(again.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn rates_hold_over_minutes() {
        let limiter = RateLimiter::new(100, Some(60), None);
        let start = Instant::now();
        for _ in 0..66 {
            limiter.admit(0).await.succeeded(0);
        }
        // Six may burst; sixty more take a minute.
        let elapsed = start.elapsed().as_secs_f64();
        assert!((59.9..60.2).contains(&elapsed), "{elapsed}");
    }

    #[tokio::test(start_paused = true)]
    async fn unused_tokens_come_back() {
        let limiter = RateLimiter::new(1, None, Some(600));
        let start = Instant::now();
        for _ in 0..10 {
            limiter.admit(60).await.succeeded(0);
        }
        assert_eq!(start.elapsed().as_secs(), 0);
        limiter.admit(60).await.succeeded(60);
        limiter.admit(600).await.failed();
        let elapsed = start.elapsed().as_secs_f64();
        assert!((59.9..60.2).contains(&elapsed), "{elapsed}");
    }
}
