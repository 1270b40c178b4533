//! Programs of the operator's that sign, check, encrypt and decrypt: every platform has its own
//! keys, often in hardware, and its own ways.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::intake::pull::Hook;

/// A signature takes milliseconds; a program that hangs must not hold up everything.
const TIMEOUT: Duration = Duration::from_secs(10);

/// As much as an answer of an endpoint may have.
const OUTPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Where the programs that a hook calls are looked for.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Why a program did not help. What it printed may be anything, so it is not repeated.
#[derive(Debug, thiserror::Error)]
#[error("{program} {why}")]
pub(super) struct HookError {
    program: String,
    why: String,
}

/// Runs a program on `input` with one variable more; gives its output without white space around it.
pub(super) async fn run(
    hook: &Hook,
    input: &str,
    variable: (&str, &str),
) -> Result<String, HookError> {
    let [program, arguments @ ..] = hook.as_slice() else { return Ok(input.to_owned()) };
    let failed = |why: String| HookError { program: program.clone(), why };
    let running = async {
        let mut child = Command::new(program)
            .args(arguments)
            // Our own settings hold secrets.
            .env_clear()
            .env("PATH", PATH)
            .env(variable.0, variable.1)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let stdin = child.stdin.take();
        let write = async {
            // A program that does not need its input may end before it has read it.
            if let Some(mut stdin) = stdin {
                drop(stdin.write_all(input.as_bytes()).await);
            }
        };
        let stdout = child.stdout.take();
        let read = async {
            let mut output = Vec::new();
            if let Some(stdout) = stdout {
                stdout.take(OUTPUT_BYTES_MAX).read_to_end(&mut output).await?;
            }
            Ok::<_, std::io::Error>(output)
        };
        let (output, ()) = tokio::join!(read, write);
        Ok::<_, std::io::Error>((output?, child.wait().await?))
    };
    let ended = tokio::time::timeout(TIMEOUT, running).await;
    let ended = ended.map_err(|_| failed("did not end in time".to_owned()))?;
    let (output, status) = ended.map_err(|error| failed(format!("cannot be run: {error}")))?;
    if !status.success() {
        return Err(failed(format!("failed: {status}")));
    }
    let text = String::from_utf8(output);
    let text = text.map_err(|_| failed("wrote something that is no text".to_owned()))?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Hook {
        ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[tokio::test]
    async fn a_program_reads_the_input_and_the_variable() {
        let hook = shell("printf '%s-' \"$CAINFO\"; tr a-z A-Z");
        assert_eq!(run(&hook, "text", ("CAINFO", "it")).await.unwrap(), "it-TEXT");
        let long = "x".repeat(1_000_000);
        assert_eq!(run(&shell("cat"), &long, ("CAINFO", "")).await.unwrap(), long);
        assert_eq!(run(&shell("exit 0"), &long, ("CAINFO", "")).await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_program_that_fails_is_named_and_its_words_are_not() {
        for (script, why) in [
            ("echo 测试员; exit 3", "failed: exit status: 3"),
            ("printf '\\377'", "wrote something that is no text"),
        ] {
            let error = run(&shell(script), "in", ("CAINFO", "")).await.unwrap_err();
            assert_eq!(error.to_string(), format!("/bin/sh {why}"));
        }
        let missing = vec!["/nowhere/sign".to_owned()];
        let error = run(&missing, "in", ("CAINFO", "")).await.unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/sign cannot be run"), "{error}");
    }
}
