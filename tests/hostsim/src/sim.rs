//! A worker: its VM, its roots, its clock.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use crate::abi::{Callback, enter};
use crate::exchange::{Exchange, is_faulty};
use crate::fixture;
use crate::world::{Control, Fault, Root, Status, with};

/// Milliseconds to nanoseconds.
const MILLISECOND: u64 = 1_000_000;

thread_local! {
    /// How many callbacks run.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// A worker of the host. One per thread at a time: what it holds is the thread's.
#[derive(Debug)]
pub struct Sim {
    root: Cell<u32>,
    hold_headers: bool,
}

/// How a worker starts.
#[derive(Debug)]
pub struct Builder {
    config: String,
    control: Control,
    faults: Vec<Fault>,
    hold_headers: bool,
    properties: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Builder {
    /// A property of the host, by its path.
    pub fn property(mut self, path: &[&str], value: &[u8]) -> Self {
        let path = path.join("\0").into_bytes();
        self.properties.push((path, value.to_vec()));
        self
    }

    /// How control can be reached at first.
    pub fn control(mut self, control: Control) -> Self {
        self.control = control;
        self
    }

    /// Host calls that will fail.
    pub fn faults(mut self, faults: &[Fault]) -> Self {
        self.faults = faults.to_vec();
        self
    }

    /// Leaves `allow_on_headers_stop_iteration` out of the listener.
    pub fn without_holding(mut self) -> Self {
        self.hold_headers = false;
        self
    }

    /// Starts it; nothing when the filter does not take its configuration.
    pub fn start(self) -> Option<Sim> {
        with(|world| {
            world.reset(fixture::NOW * 1000 * MILLISECOND);
            world.control = self.control;
            world.faults = self.faults;
            world.properties.extend(self.properties);
        });
        initialize();
        let sim = Sim {
            root: 0.into(),
            hold_headers: self.hold_headers,
        };
        sim.configure(&self.config).then_some(sim)
    }
}

impl Sim {
    /// A worker with this configuration, as JSON.
    pub fn builder(config: &str) -> Builder {
        Builder {
            config: config.to_owned(),
            control: Control::Up,
            faults: Vec::new(),
            hold_headers: true,
            properties: Vec::new(),
        }
    }

    /// A worker with this configuration, as JSON, that has heard nothing of control.
    pub fn new(config: &str) -> Self {
        let sim = Self::builder(config).start();
        sim.expect("the filter takes its configuration")
    }

    /// A worker with the resources of [`fixture`] in force.
    pub fn ready() -> Self {
        Self::ready_with(fixture::CONFIG)
    }

    /// The same with another configuration.
    pub fn ready_with(config: &str) -> Self {
        let sim = Self::new(config);
        sim.tick();
        sim.push(&fixture::resources());
        sim
    }

    /// A configuration update: a new root in the same VM takes over. The old one stays until
    /// [`Sim::retire`]. `false` when the filter does not take it; all stays as it was then.
    pub fn configure(&self, config: &str) -> bool {
        let root = with(|world| {
            let root = world.next_id();
            let configuration = config.as_bytes().to_vec();
            world.roots.insert(
                root,
                Root {
                    configuration,
                    ..Root::default()
                },
            );
            root
        });
        callback(root, Callback::Create { root: 0 });
        let size = config.len();
        let taken = callback(root, Callback::VmStart) == 1
            && callback(root, Callback::Configure { size }) == 1;
        if taken {
            self.root.set(root);
        } else {
            delete(root);
        }
        taken
    }

    /// The root that serves.
    pub fn root(&self) -> u32 {
        self.root.get()
    }

    /// The roots of this worker.
    pub fn roots(&self) -> Vec<u32> {
        with(|world| world.roots.keys().copied().collect())
    }

    /// Tells a root that it is to go; whether it went at once.
    pub fn retire(&self, root: u32) -> bool {
        let done = callback(root, Callback::Done) == 1;
        if done {
            delete(root);
        }
        done
    }

    /// The VM is lost and made anew, with the same configuration. Shared data stays, as other VMs hold it.
    pub fn reload(&self) {
        assert!(
            self.try_reload(),
            "the filter takes its configuration again"
        );
    }

    /// The same, when a call may fail; `false` leaves the worker without a root.
    pub fn try_reload(&self) -> bool {
        let configuration = with(|world| world.roots[&self.root()].configuration.clone());
        self.lose();
        initialize();
        let config = String::from_utf8(configuration).expect("configurations are text");
        self.configure(&config)
    }

    /// One tick of every root.
    pub fn tick(&self) {
        self.advance(100);
    }

    /// Time passes, with the ticks that fall into it.
    pub fn advance(&self, milliseconds: u64) {
        let mut left = milliseconds;
        while left > 0 {
            let step = left.min(100);
            left -= step;
            with(|world| world.now += step * MILLISECOND);
            for root in self.roots() {
                if with(|world| world.roots[&root].period) > 0 {
                    callback(root, Callback::Tick);
                }
                if with(|world| world.roots[&root].done) {
                    delete(root);
                }
            }
        }
    }

    /// Sets the clock, in seconds since the Unix epoch; no tick comes.
    pub fn set_clock(&self, seconds: u64) {
        with(|world| world.now = seconds * 1000 * MILLISECOND);
    }

    /// A new exchange on the root that serves.
    pub fn exchange(&self) -> Exchange<'_> {
        Exchange::new(self, self.root(), self.hold_headers)
    }

    /// Exchanges that the host holds.
    pub fn open_exchanges(&self) -> usize {
        with(|world| world.http.len())
    }

    /// How control can be reached from now on. Streams that are open stay.
    pub fn set_control(&self, control: Control) {
        with(|world| world.control = control);
    }

    /// Has these host calls fail from now on; occurrences count from the start of the worker.
    pub fn set_faults(&self, faults: &[Fault]) {
        with(|world| world.faults = faults.to_vec());
    }

    /// Has the next call of this name fail.
    pub fn fail_next(&self, call: &'static str, status: Status) {
        let occurrence = self.calls().get(call).copied().unwrap_or_default();
        self.set_faults(&[Fault {
            call,
            occurrence,
            lasting: false,
            status,
        }]);
    }

    /// How often each host call was made so far.
    pub fn calls(&self) -> BTreeMap<&'static str, usize> {
        with(|world| world.calls.clone())
    }

    /// Whether a fault has struck.
    pub fn struck(&self) -> bool {
        is_faulty()
    }

    /// Value of a metric, 0 when it is not defined.
    pub fn metric(&self, name: &str) -> u64 {
        with(|world| {
            let metric = world.metrics.iter().find(|metric| metric.name == name);
            metric.map_or(0, |metric| metric.value)
        })
    }

    /// Lines of the log so far.
    pub fn logs(&self) -> Vec<String> {
        with(|world| world.logs.clone())
    }

    /// Keys of the shared data.
    pub fn shared_keys(&self) -> Vec<String> {
        with(|world| {
            let keys = world.shared.keys();
            keys.map(|key| String::from_utf8_lossy(key).into_owned())
                .collect()
        })
    }

    /// Writes the same rubbish into all shared data.
    pub fn spoil_shared(&self, rubbish: &[u8]) {
        with(|world| {
            for (value, _) in world.shared.values_mut() {
                *value = rubbish.to_vec();
            }
        });
    }

    /// Fails when the filter has done what no filter may.
    pub fn check(&self) {
        let violations = with(|world| world.violations.clone());
        assert!(violations.is_empty(), "{violations:?}");
    }

    /// Ends all contexts without a word to them, as a crash does.
    fn lose(&self) {
        let http: Vec<u32> = with(|world| std::mem::take(&mut world.http).into_keys().collect());
        for context in http {
            callback(context, Callback::Delete);
        }
        for root in self.roots() {
            delete(root);
        }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.lose();
        }
    }
}

/// Calls into the filter, then does what the host has put off until the call is over.
pub(crate) fn callback(context: u32, event: Callback) -> u32 {
    let outer = with(|world| std::mem::replace(&mut world.active, context));
    DEPTH.set(DEPTH.get() + 1);
    let answer = enter(context, event);
    DEPTH.set(DEPTH.get() - 1);
    with(|world| world.active = outer);
    for token in with(|world| std::mem::take(&mut world.opening)) {
        crate::control::take(token);
    }
    for token in with(|world| std::mem::take(&mut world.closing)) {
        crate::control::close(token, 14);
    }
    answer
}

fn delete(root: u32) {
    callback(root, Callback::Delete);
    with(|world| {
        world.roots.remove(&root);
        // The host resets the streams of a root that is gone.
        for stream in world.streams.values_mut() {
            stream.open &= stream.root != root;
        }
    });
}

/// Starts the module. It sets its panic hook, which is for the whole process; the tests keep theirs.
fn initialize() {
    static HOOK: Mutex<bool> = Mutex::new(false);
    let mut installed = HOOK.lock().unwrap_or_else(PoisonError::into_inner);
    let hook = std::panic::take_hook();
    callback(0, Callback::Initialize);
    if *installed {
        std::panic::set_hook(hook);
        return;
    }
    *installed = true;
    std::panic::set_hook(Box::new(move |panic| {
        // The process ends with it, and with the process what the test harness has captured.
        if DEPTH.get() > 0 {
            let _ = writeln!(std::io::stderr(), "in the filter: {panic}");
        }
        hook(panic);
    }));
}
