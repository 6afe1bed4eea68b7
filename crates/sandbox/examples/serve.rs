//! Serves a sandbox on a port: `serve [ADDRESS] [TOKEN] [--bare] [--controllers] [--kwok]`; the last has three nodes and no
//! scheduler, as the cluster had in which the topic `controllers` was recorded.
#![expect(clippy::print_stdout, reason = "a command-line example")]

use std::{error::Error, time::Duration};

use lockstep_sandbox::{Options, Sandbox};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (flags, words): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|word| word.starts_with("--"));
    let has = |name: &str| flags.iter().any(|flag| flag == name);
    let sandbox = Sandbox::new(Options {
        bare: has("--bare"),
        controllers: has("--controllers"),
        kubelet_delay: Duration::from_millis(200),
        nodes: if has("--kwok") { (0..3).map(|place| format!("kwok-{place}")).collect() } else { Vec::new() },
        no_scheduler: has("--kwok"),
        admin_token: words.get(1).cloned(),
        ..Options::default()
    })?;
    let address = words.first().map_or("127.0.0.1:0", String::as_str).parse()?;
    let served = sandbox.serve(address).await?;
    println!("{}", sandbox.kubeconfig(served.addr));
    std::future::pending::<()>().await;
    Ok(())
}
