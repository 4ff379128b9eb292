//! What happens around exchanges: control, clock, configuration, and host calls that fail.

use std::collections::BTreeSet;

use gatehold_hostsim::{Control, Fault, Push, Sim, fixture};
use gatehold_wire::hold::{self, from_filter, to_filter};
use gatehold_wire::push;
use prost::Message as _;

use super::dice::Dice;
use super::request::Policy;
use crate::chaos::statuses;

/// The state of things.
#[derive(Debug)]
pub(crate) struct Weather {
    config: &'static str,
    /// Policies that may be in force; at most one if all went well.
    pub(crate) policies: BTreeSet<Policy>,
    /// The worker is known to have the policy.
    settled: bool,
    /// Host calls may fail.
    rough: bool,
    version: usize,
    faults: Vec<Fault>,
}

impl Weather {
    pub(crate) fn new(config: &'static str, dice: &mut Dice) -> Self {
        Self {
            config,
            policies: BTreeSet::new(),
            settled: false,
            rough: dice.percent(60),
            version: 0,
            faults: Vec::new(),
        }
    }

    /// Whether it is known for certain what is in force.
    pub(crate) fn is_settled(&self, sim: &Sim) -> bool {
        self.settled && !sim.struck()
    }

    /// Usually the worker hears of a policy before the first exchange.
    pub(crate) fn begin(&mut self, sim: &Sim, dice: &mut Dice) {
        if self.rough && dice.percent(40) {
            self.fault(sim, dice);
        }
        sim.tick();
        if dice.percent(93) {
            self.push(sim, Policy::Open);
        }
    }

    /// The VM is lost and made anew; there must be no exchange.
    pub(crate) fn reload(&mut self, sim: &Sim) {
        self.settled = false;
        if !sim.roots().is_empty() && !sim.try_reload() {
            self.recover(sim);
        }
    }

    /// Something happens.
    pub(crate) fn change(&mut self, sim: &Sim, dice: &mut Dice) {
        match dice.below(18) {
            0..=2 if self.rough => self.fault(sim, dice),
            3 => self.push(sim, Policy::Open),
            4 => self.push(sim, Policy::Narrow),
            5 => self.push_rubbish(sim, dice),
            6 if dice.percent(30) => self.remove(sim),
            7 => sim.advance([100, 500, 5000][dice.below(3)]),
            8 => {
                let streams = streams(sim);
                if let Some(stream) = streams.get(dice.below(streams.len().max(1))) {
                    sim.close(*stream, [0, 1, 14, 16][dice.below(4)]);
                }
            }
            9 => sim.set_control(
                [Control::Up, Control::Up, Control::Down, Control::Missing][dice.below(4)],
            ),
            10 => self.configure(sim),
            11 => {
                let old: Vec<u32> = sim
                    .roots()
                    .into_iter()
                    .filter(|it| *it != sim.root())
                    .collect();
                for root in old {
                    sim.retire(root);
                }
            }
            15 => Self::tell(sim, dice),
            16 => sim.advance(46_000),
            12 => sim.acknowledge(dice.below(4) as u64),
            13 if dice.percent(30) => {
                self.settled = false;
                sim.spoil_shared(b"rubbish");
            }
            14 => {
                let streams = streams(sim);
                if let Some(stream) = streams.get(dice.below(streams.len().max(1))) {
                    sim.receive(*stream, &rubbish(dice, b""));
                }
            }
            _ => sim.tick(),
        }
    }

    /// Control says anything about the requests that wait, but that they may run.
    fn tell(sim: &Sim, dice: &mut Dice) {
        for said in sim.holds() {
            let waiter = match said {
                from_filter::Message::Wait(wait) => wait.waiter,
                from_filter::Message::Claim(claim) => claim.waiter,
                from_filter::Message::Task(request) => request.waiter,
                from_filter::Message::Leave(leave) => leave.waiter,
                _ => continue,
            };
            let approval = "a1".to_owned();
            let outcome = i32::try_from(dice.below(10)).expect("a number");
            sim.tell(match dice.below(5) {
                0 => to_filter::Message::Pending(hold::Pending {
                    waiter,
                    approval,
                    ..hold::Pending::default()
                }),
                1 | 2 => to_filter::Message::Decided(hold::Decided {
                    waiter,
                    approval,
                    outcome,
                    reason: "so it is".into(),
                }),
                3 => to_filter::Message::Claimed(hold::Claimed {
                    waiter,
                    approval,
                    outcome,
                    ..hold::Claimed::default()
                }),
                _ => to_filter::Message::Cancelled(hold::Cancelled { waiter }),
            });
        }
    }

    fn fault(&mut self, sim: &Sim, dice: &mut Dice) {
        if dice.percent(20) {
            self.faults.clear();
        }
        let calls: Vec<(&'static str, usize)> = sim.calls().into_iter().collect();
        for _ in 0..=dice.below(3) {
            let (call, count) = calls[dice.below(calls.len())];
            let statuses = statuses(call);
            if !statuses.is_empty() {
                self.faults.push(Fault {
                    call,
                    occurrence: count + dice.below(8),
                    lasting: dice.percent(15),
                    status: statuses[dice.below(statuses.len())],
                });
            }
        }
        sim.set_faults(&self.faults);
    }

    fn push(&mut self, sim: &Sim, policy: Policy) {
        self.version += 1;
        let version = self.version.to_string();
        let push = Push::default()
            .issuer(&version, &fixture::issuer())
            .server(&version, &server(policy));
        let replies = sim.push(&push);
        let taken = replies
            .iter()
            .filter(|reply| reply.error_detail.is_none())
            .count();
        // One root, one stream, both resources acknowledged: nothing else can be in force.
        if taken == 2 && replies.len() == 2 && sim.roots().len() == 1 && !sim.struck() {
            self.policies.clear();
            self.settled = true;
        } else {
            self.settled = false;
        }
        self.policies.insert(policy);
    }

    fn push_rubbish(&mut self, sim: &Sim, dice: &mut Dice) {
        // Cut off, it may be a policy with fewer rules, which allows less.
        self.settled = false;
        self.policies.insert(Policy::Open);
        let value = rubbish(dice, &server(Policy::Open).encode_to_vec());
        sim.push(&Push::default().raw_server("crm", "rubbish", value));
    }

    fn remove(&mut self, sim: &Sim) {
        self.settled = false;
        sim.push(&Push::default().remove_server("crm"));
    }

    fn configure(&mut self, sim: &Sim) {
        self.settled = false;
        if !sim.configure(self.config) {
            self.recover(sim);
        }
    }

    /// A worker without a root gets one: Envoy would not serve without.
    fn recover(&mut self, sim: &Sim) {
        if sim.roots().is_empty() {
            self.faults.clear();
            sim.set_faults(&[]);
            assert!(
                sim.configure(self.config),
                "the filter takes its configuration again"
            );
        }
    }
}

fn streams(sim: &Sim) -> Vec<u32> {
    [sim.push_streams(), sim.audit_streams(), sim.hold_streams()].concat()
}

/// The server with this policy.
fn server(policy: Policy) -> push::Server {
    let mut server = fixture::server("crm", "/crm/mcp");
    if policy == Policy::Narrow {
        server.rules.retain(|rule| rule.id != "p/get");
    }
    server
}

/// Bytes that are a message or not.
fn rubbish(dice: &mut Dice, of: &[u8]) -> Vec<u8> {
    let mut bytes = of.to_vec();
    bytes.truncate(dice.below(bytes.len() + 1));
    for _ in 0..dice.below(4) {
        bytes.push(u8::try_from(dice.below(256)).expect("a byte"));
    }
    bytes
}
