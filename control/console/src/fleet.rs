//! Where the console has the fleet from.

use gatehold_push::FleetView;

/// Who is connected, at the moment it is asked.
pub trait Fleet: Send + Sync + 'static {
    /// All Envoys, and those of the last hour.
    fn view(&self) -> FleetView;
}
