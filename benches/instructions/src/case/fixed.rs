//! Randomness that is the same in every run: seeds of hash tables, ids, the key of the issuer.

/// Stands in for the C library's function of this name, which the standard library calls.
///
/// # Safety
/// `size` bytes can be written at `data`.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(data: *mut u8, size: usize, _flags: u32) -> isize {
    for at in 0..size {
        // Any constant does.
        let byte = 0x5a_u8.wrapping_add(at.to_le_bytes()[0]);
        // SAFETY: within the bounds that the caller promises.
        unsafe { data.add(at).write(byte) };
    }
    isize::try_from(size).unwrap_or(isize::MAX)
}
