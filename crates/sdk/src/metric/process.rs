//! The process itself, under the names that all of Prometheus's client libraries use. Read from
//! `/proc` when metrics are asked for; what a system does not have is left out.
//! <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>

use super::{Kind, Registry, Snapshot};

/// Ticks a second in `/proc/*/stat`: `USER_HZ`, 100 wherever Linux runs Rust's standard library.
const TICKS_PER_SECOND: f64 = 100.0;

/// What `/proc/*/status` counts memory in.
const KIB: f64 = 1024.0;

/// Adds CPU time, memory, file descriptors, threads and the start time of the process.
pub fn watch_process(registry: &Registry) {
    registry.collect(|snapshot| {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let process = Process {
            stat: &read("/proc/self/stat"),
            status: &read("/proc/self/status"),
            limits: &read("/proc/self/limits"),
            boot: &read("/proc/stat"),
        };
        process.write(snapshot);
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            let count = u32::try_from(open.count()).unwrap_or(u32::MAX);
            // The directory that is being read is open as well.
            snapshot.push(
                "process_open_fds",
                "Number of open file descriptors.",
                Kind::Gauge,
                f64::from(count.saturating_sub(1)),
            );
        }
    });
}

/// What the kernel's files say.
struct Process<'a> {
    stat: &'a str,
    status: &'a str,
    limits: &'a str,
    boot: &'a str,
}

impl Process<'_> {
    fn write(&self, snapshot: &mut Snapshot) {
        let mut put = |name, help, kind, value: Option<f64>| {
            if let Some(value) = value {
                snapshot.push(name, help, kind, value);
            }
        };
        put(
            "process_cpu_seconds_total",
            "Total user and system CPU time spent in seconds.",
            Kind::Counter,
            self.cpu_seconds(),
        );
        put(
            "process_resident_memory_bytes",
            "Resident memory size in bytes.",
            Kind::Gauge,
            self.status_kib("VmRSS:"),
        );
        put(
            "process_virtual_memory_bytes",
            "Virtual memory size in bytes.",
            Kind::Gauge,
            self.status_kib("VmSize:"),
        );
        put("process_threads", "Number of OS threads.", Kind::Gauge, self.status("Threads:"));
        put(
            "process_max_fds",
            "Maximum number of open file descriptors.",
            Kind::Gauge,
            self.limit("Max open files"),
        );
        put(
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            Kind::Gauge,
            self.start_time(),
        );
    }

    /// A field of `stat`, numbered as in proc(5) from 1; the second, a name, may hold spaces.
    fn field(&self, number: usize) -> Option<f64> {
        let (_, rest) = self.stat.rsplit_once(')')?;
        rest.split_ascii_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
    }

    fn cpu_seconds(&self) -> Option<f64> {
        Some((self.field(14)? + self.field(15)?) / TICKS_PER_SECOND)
    }

    fn start_time(&self) -> Option<f64> {
        let boot = self.boot.lines().find_map(|line| line.strip_prefix("btime "))?;
        Some(boot.trim().parse::<f64>().ok()? + self.field(22)? / TICKS_PER_SECOND)
    }

    fn status(&self, key: &str) -> Option<f64> {
        let line = self.status.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_ascii_whitespace().next()?.parse().ok()
    }

    fn status_kib(&self, key: &str) -> Option<f64> {
        Some(self.status(key)? * KIB)
    }

    /// The soft limit; none where it is unlimited.
    fn limit(&self, key: &str) -> Option<f64> {
        let line = self.limits.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_ascii_whitespace().next()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_files_are_read() {
        let process = Process {
            stat: "7 (a b) c) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 3 0 1234 1000 200 0",
            status: "VmSize:\t    2048 kB\nVmRSS:\t    1024 kB\nThreads:\t3\n",
            limits: "Max open files            1024                 524288               files\n",
            boot: "cpu 1\nbtime 1000000\n",
        };
        assert_eq!(process.cpu_seconds(), Some(3.0));
        assert_eq!(process.start_time(), Some(1_000_012.34));
        assert_eq!(process.status_kib("VmRSS:"), Some(1_048_576.0));
        assert_eq!(process.limit("Max open files"), Some(1024.0));
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        let registry = Registry::new();
        let mut snapshot = registry.snapshot();
        Process { stat: "", status: "", limits: "", boot: "" }.write(&mut snapshot);
        assert!(snapshot.families.is_empty());
        watch_process(&registry);
        if cfg!(target_os = "linux") {
            let text = registry.text(super::super::Format::Text);
            for name in ["cpu_seconds_total", "resident_memory_bytes", "open_fds", "threads"] {
                assert!(text.contains(&format!("\nprocess_{name} ")), "{name}: {text}");
            }
        }
    }
}
