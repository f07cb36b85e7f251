//! A full disk: the server says so, loses nothing that it acknowledged, and goes on when there is
//! space again.

use std::path::{Path, PathBuf};

use e2e::otlp::{int, log, logs_request, post_logs};
use e2e::random::show;
use e2e::server::Setup;
use e2e::until;
use tempfile::TempDir;

/// A small file system of its own; unmounted when dropped.
struct SmallDisk {
    path: PathBuf,
    _home: TempDir,
}

impl SmallDisk {
    /// None where this user may not mount.
    fn mount(mebibytes: u32) -> Option<SmallDisk> {
        let home = TempDir::with_prefix("trefoil-disk-").expect("a temporary directory");
        let path = home.path().join("disk");
        std::fs::create_dir(&path).expect("a directory");
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"])
            .arg(&path)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(SmallDisk { path, _home: home })
    }

    /// Takes space away and gives it back when the file is removed.
    fn fill(&self, mebibytes: usize) -> PathBuf {
        let path = self.path.join("filler");
        std::fs::write(&path, vec![1_u8; mebibytes << 20]).expect("space for the filler");
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(std::process::Command::new("umount").arg("-l").arg(&self.path).output());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_said_and_survived() {
    let Some(disk) = SmallDisk::mount(128) else {
        show("SKIPPED: only root may mount the small disk that this test fills");
        return;
    };
    let filler = disk.fill(80);
    let mut server = Setup::new().data_dir(data_dir(&disk.path)).start().await;
    let mut acknowledged = 0;
    let refused = loop {
        let records = (0..200).map(|row| log(&line(), vec![int("e2e.row", row)])).collect();
        let reply = post_logs(server.http(), &server.otlp_http(), &logs_request("disk", records))
            .await
            .expect("an answer");
        match reply.status {
            200 => acknowledged += 200,
            _ => break reply,
        }
        assert!(acknowledged < 2_000_000, "the disk never fills");
    };
    assert!(matches!(refused.status, 429 | 503), "{}: {}", refused.status, refused.text());
    assert!(refused.retry_after.is_some(), "it does not say when to try again");
    assert!(acknowledged > 0, "it was full from the start");
    let count = format!("{acknowledged} rows");
    until(&count, || async {
        let rows = server.ask("SELECT count(*) FROM logs").await.map_err(|e| e.to_string())?;
        if rows.number() >= acknowledged { Ok(()) } else { Err(rows.number().to_string()) }
    })
    .await;

    std::fs::remove_file(filler).expect("the filler goes");
    until("the server to take rows again", || async {
        let request = logs_request("disk-again", vec![log("after", vec![])]);
        let reply = post_logs(server.http(), &server.otlp_http(), &request)
            .await
            .map_err(|error| error.to_string())?;
        if reply.status == 200 { Ok(()) } else { Err(reply.text()) }
    })
    .await;
    server.kill().await;
    server.start_again().await;
    let found = server.sql("SELECT count(*) FROM logs WHERE service = 'disk'").await.number();
    // A refused batch may be there, once: the disk was full at its last byte.
    assert!(
        (acknowledged..=acknowledged + 200).contains(&found),
        "{acknowledged} rows were acknowledged, {found} are there"
    );
    let after = server.sql("SELECT count(*) FROM logs WHERE service = 'disk-again'").await;
    assert!(after.number() >= 1);
}

fn data_dir(disk: &Path) -> PathBuf {
    disk.join("data")
}

/// A line that no compression makes small.
fn line() -> String {
    (0..32).map(|_| format!("{:016x}", rand::random::<u64>())).collect()
}
