//! Which file this code was loaded from: the plugin's shared object inside a host, else the executable.

use std::path::PathBuf;

/// The binary this code is part of: the plugin's shared object inside a host, else the executable.
///
/// The path is canonical, so that files can be looked for beside it. `None` when the system does not say.
#[must_use]
pub fn module_file() -> Option<PathBuf> {
    loaded_from().or_else(|| std::env::current_exe().ok())?.canonicalize().ok()
}

#[cfg(unix)]
fn loaded_from() -> Option<PathBuf> {
    use std::ffi::{CStr, OsStr};
    use std::os::unix::ffi::OsStrExt;

    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: `dladdr` accepts any address and writes `info` when it returns non-zero; the address is of this very
    // function, so that it lies in the module asked about.
    let found = unsafe { libc::dladdr(loaded_from as *const libc::c_void, info.as_mut_ptr()) };
    if found == 0 {
        return None;
    }
    // SAFETY: `dladdr` returned non-zero, so `info` is initialised.
    let info = unsafe { info.assume_init() };
    if info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: a non-null `dli_fname` is a NUL-terminated string owned by the loader for as long as the module is
    // loaded, which it is while its code runs.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    Some(PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}

#[cfg(windows)]
fn loaded_from() -> Option<PathBuf> {
    use std::ffi::OsString;
    use std::os::windows::ffi::OsStringExt;
    use windows_sys::Win32::System::LibraryLoader::{
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
        GetModuleFileNameW, GetModuleHandleExW,
    };

    let flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    let mut handle = std::ptr::null_mut();
    // SAFETY: with FROM_ADDRESS the second argument is an address inside the module asked about, here this function.
    if unsafe { GetModuleHandleExW(flags, loaded_from as *const u16, &mut handle) } == 0 {
        return None;
    }
    let mut name = vec![0_u16; 32_768];
    // SAFETY: `name` has the length passed with it; the function writes at most that many units.
    let length = unsafe { GetModuleFileNameW(handle, name.as_mut_ptr(), name.len() as u32) } as usize;
    (length > 0 && length < name.len()).then(|| PathBuf::from(OsString::from_wide(&name[..length])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_of_a_test_is_its_executable() {
        assert_eq!(module_file().unwrap(), std::env::current_exe().unwrap().canonicalize().unwrap());
    }
}
