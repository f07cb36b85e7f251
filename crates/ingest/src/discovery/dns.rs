//! `dns_sd_configs`: A, AAAA, SRV, MX and NS records.

use std::collections::BTreeMap;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::{RData, RecordType};

use super::Slot;
use crate::prometheus::discovery::{DnsRecord, Group};

pub(super) async fn run(
    names: Vec<String>,
    record: DnsRecord,
    port: u16,
    refresh: Duration,
    slot: Slot,
) {
    let resolver =
        TokioResolver::builder_tokio().and_then(hickory_resolver::ResolverBuilder::build);
    let resolver = match resolver {
        Ok(resolver) => resolver,
        Err(error) => return slot.failed("resolver", &error),
    };
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    loop {
        for name in &names {
            match ask(&resolver, name, record, port).await {
                Ok(group) => {
                    groups.insert(name.clone(), group);
                }
                // What was found before still counts.
                Err(error) => slot.failed(name, &error),
            }
        }
        slot.set(groups.values().cloned().collect());
        tokio::time::sleep(refresh).await;
    }
}

async fn ask(
    resolver: &TokioResolver,
    name: &str,
    record: DnsRecord,
    port: u16,
) -> Result<Group, String> {
    let kind = match record {
        DnsRecord::A => RecordType::A,
        DnsRecord::Aaaa => RecordType::AAAA,
        DnsRecord::Srv => RecordType::SRV,
        DnsRecord::Mx => RecordType::MX,
        DnsRecord::Ns => RecordType::NS,
    };
    let answer = match resolver.lookup(name, kind).await {
        Ok(answer) => answer,
        Err(error) if error.is_no_records_found() || error.is_nx_domain() => {
            return Ok(Group { source: name.to_owned(), ..Group::default() });
        }
        Err(error) => return Err(error.to_string()),
    };
    let data = answer.answers().iter().map(|record| &record.data);
    let targets = data.filter_map(|data| target(name, data, port)).collect();
    Ok(Group { source: name.to_owned(), targets, labels: BTreeMap::new() })
}

fn target(name: &str, data: &RData, port: u16) -> Option<BTreeMap<String, String>> {
    let host =
        |name: &hickory_resolver::proto::rr::Name| name.to_utf8().trim_end_matches('.').to_owned();
    let mut srv = (String::new(), String::new());
    let (mut mx, mut ns) = (String::new(), String::new());
    let (address, port) = match data {
        RData::A(a) => (a.to_string(), port),
        RData::AAAA(aaaa) => (format!("[{aaaa}]"), port),
        RData::SRV(record) => {
            srv = (record.target.to_utf8(), record.port.to_string());
            (host(&record.target), record.port)
        }
        RData::MX(record) => {
            mx = record.exchange.to_utf8();
            (host(&record.exchange), port)
        }
        RData::NS(record) => {
            ns = record.0.to_utf8();
            (host(&record.0), port)
        }
        _ => return None,
    };
    let labels = [
        ("__address__", format!("{address}:{port}")),
        ("__meta_dns_name", name.to_owned()),
        ("__meta_dns_srv_record_target", srv.0),
        ("__meta_dns_srv_record_port", srv.1),
        ("__meta_dns_mx_record_target", mx),
        ("__meta_dns_ns_record_target", ns),
    ];
    Some(labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::Name;
    use hickory_resolver::proto::rr::rdata::{A, AAAA, SRV};

    use super::*;

    #[test]
    fn records_become_addresses() {
        let name: Name = "host.example.".parse().expect("a name");
        for (data, address) in [
            (RData::A(A::new(127, 0, 0, 1)), "127.0.0.1:80"),
            (RData::AAAA(AAAA::new(0, 0, 0, 0, 0, 0, 0, 1)), "[::1]:80"),
            (RData::SRV(SRV::new(0, 0, 9100, name)), "host.example:9100"),
        ] {
            let target = target("_q._tcp", &data, 80).expect("a target");
            assert_eq!(target["__address__"], address);
            assert_eq!(target["__meta_dns_name"], "_q._tcp");
        }
    }
}
