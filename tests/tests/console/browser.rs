//! A real browser without a window: shows a page that plays a CloudWatch dashboard, and says what was seen on it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

const HARNESS: &str = include_str!("harness.html");

/// Where the browser is, if not under one of [`NAMES`] in the path.
const VARIABLE: &str = "CURFEW_CHROMIUM";

const NAMES: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// How wide and high the window is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size(pub(crate) u32, pub(crate) u32);

/// As much as half of a dashboard.
pub(crate) const WIDE: Size = Size(1080, 820);

/// What was seen on a page.
#[derive(Debug)]
pub(crate) struct Seen(Value);

impl std::ops::Index<&str> for Seen {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        &self.0[name]
    }
}

/// A widget's HTML as a dashboard treats it, and what came of `steps`: `{"fill": field, "with": text}`,
/// `{"click": button, "in": text of its row}`, `{"answer": whether to confirm}`.
///
/// # Panics
/// There is no browser, or the page did not work.
pub(crate) fn play(html: &str, theme: &str, size: Size, steps: &Value) -> Seen {
    seen(&page(html, theme, steps), size)
}

/// A widget's HTML as part of a page that cleans nothing away: whatever could run, runs.
///
/// # Panics
/// As [`play`].
pub(crate) fn trust(html: &str) -> Seen {
    seen(&HARNESS.replace("<!--RAW-->", html).replace("/*GIVEN*/", "{}"), WIDE)
}

/// A picture of a widget: a PNG.
///
/// # Panics
/// As [`play`].
pub(crate) fn picture(html: &str, theme: &str, size: Size) -> Vec<u8> {
    let page = write(&page(html, theme, &json!([])));
    let picture = page.with_file_name("picture.png");
    run(&page, size, &format!("--screenshot={}", picture.display()));
    let bytes = std::fs::read(&picture).expect("a picture");
    clear(&page);
    bytes
}

/// Where pictures for the documentation are put, if somebody wants them.
pub(crate) fn pictures() -> Option<PathBuf> {
    variable("CURFEW_PICTURES").map(PathBuf::from)
}

fn page(html: &str, theme: &str, steps: &Value) -> String {
    let given = json!({ "html": html, "theme": theme, "steps": steps });
    // No `<` in it, so that it ends where the harness ends it.
    HARNESS.replace("/*GIVEN*/", &given.to_string().replace('<', "\\u003c"))
}

fn seen(page: &str, size: Size) -> Seen {
    let page = write(page);
    let output = run(&page, size, "--dump-dom");
    clear(&page);
    let dom = String::from_utf8(output.stdout).expect("a page");
    let told = dom.split_once("<pre id=\"seen\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let (told, _) = told.unwrap_or_else(|| panic!("the page was not shown: {dom}"));
    let decoded =
        form_urlencoded::parse(format!("seen={told}").as_bytes()).next().expect("a field").1.into_owned();
    let seen =
        serde_json::from_str(&decoded).unwrap_or_else(|error| panic!("{error}: the harness broke: {dom}"));
    Seen(seen)
}

fn folder() -> PathBuf {
    static PAGES: AtomicUsize = AtomicUsize::new(0);
    let n = PAGES.fetch_add(1, Ordering::Relaxed);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("console-{}-{n}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn write(page: &str) -> PathBuf {
    let file = folder().join("page.html");
    std::fs::write(&file, page).expect("a page");
    file
}

fn clear(page: &Path) {
    let folder = page.parent().expect("a folder");
    std::fs::remove_dir_all(folder).expect("a folder to clear away");
}

fn run(page: &Path, size: Size, argument: &str) -> Output {
    let folder = page.parent().expect("a folder");
    let output = Command::new(browser())
        // The sandbox needs rights that containers don't have; what is shown is ours.
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"])
        .args(["--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND"])
        // Waits for the page's own timers, however slow the machine is.
        .args(["--virtual-time-budget=5000", "--force-device-scale-factor=1", "--disable-lcd-text"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("--window-size={},{}", size.0, size.1))
        .arg(argument)
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("a started browser");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn variable(name: &str) -> Option<OsString> {
    #[expect(clippy::disallowed_methods, reason = "tests find their tools by the environment")]
    std::env::var_os(name)
}

fn browser() -> PathBuf {
    if let Some(named) = variable(VARIABLE) {
        let named = PathBuf::from(named);
        assert!(named.is_file(), "`{VARIABLE}` is set to `{}`, and there is no such file", named.display());
        return named;
    }
    let folders: Vec<PathBuf> = std::env::split_paths(&variable("PATH").unwrap_or_default()).collect();
    let candidates = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    candidates.into_iter().find(|candidate| candidate.is_file()).unwrap_or_else(|| {
        panic!(
            "these tests look at the widget in a real browser, and there is none: install Chromium (Debian, Ubuntu: \
             `apt-get install chromium`; macOS: `brew install --cask chromium`), or set `{VARIABLE}` to the program. \
             Without the feature `browser` they are not built"
        )
    })
}
