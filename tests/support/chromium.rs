//! A page in a real Chromium, driven over its DevTools protocol through a pair of pipes.

#![expect(clippy::print_stderr, reason = "a test that cannot run says why")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

/// A browser with one page, closed when this is dropped.
pub(crate) struct Page {
    browser: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: String,
    calls: u64,
    /// What the page has said on its console or thrown.
    pub(crate) complaints: Vec<String>,
    _profile: tempfile::TempDir,
}

impl Page {
    /// Opens an address; `None` where there is no Chromium.
    pub(crate) fn open(address: &str) -> Option<Self> {
        let Some(chromium) = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
            let version = Command::new(name).arg("--version").stderr(Stdio::null()).output();
            version.is_ok_and(|output| output.status.success())
        }) else {
            eprintln!("skipped: there is no chromium on this machine (Debian: apt-get install chromium)");
            return None;
        };
        let profile = tempfile::tempdir().expect("a temporary folder");
        // the protocol wants descriptors 3 and 4; a page from disk has no network to ask
        let mut browser = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 >/dev/null 2>&1 </dev/null", chromium])
            .args(["--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu"])
            .args(["--no-first-run", "--disable-dev-shm-usage", "--disable-background-networking"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell can be started");
        let to = browser.stdin.take().expect("it is piped");
        let from = BufReader::new(browser.stdout.take().expect("it is piped"));
        let mut page = Self {
            browser,
            to,
            from,
            session: String::new(),
            calls: 0,
            complaints: Vec::new(),
            _profile: profile,
        };
        let target = page.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = page.call("Target.attachToTarget", attach);
        page.session = session["sessionId"].as_str().expect("a session has an id").to_owned();
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            page.call(domain, json!({}));
        }
        page.size(1280, 900);
        page.call("Page.navigate", json!({"url": address}));
        page.until("document.readyState === 'complete' && location.href !== 'about:blank'");
        Some(page)
    }

    /// Opens a file.
    pub(crate) fn of_file(path: &Path) -> Option<Self> {
        Self::open(&format!("file://{}", path.display()))
    }

    /// The value of an expression, promises awaited.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let ask = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.call("Runtime.evaluate", ask);
        assert!(answer["exceptionDetails"].is_null(), "`{expression}`: {answer}");
        answer["result"]["value"].clone()
    }

    /// The text that an element shows.
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let text = self.value(&format!("document.querySelector({}).innerText", json!(selector)));
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true, looking whenever the page draws; fails after 30 seconds.
    pub(crate) fn until(&mut self, condition: &str) {
        let wait = format!(
            "new Promise((resolve, reject) => {{
               const late = setTimeout(() => reject(new Error('still not so')), 30000);
               const look = () => ({condition}) ? (clearTimeout(late), resolve(true)) : setTimeout(look, 20);
               look();
             }})"
        );
        assert_eq!(self.value(&wait), json!(true), "{condition}");
    }

    /// Clicks the middle of an element with the mouse.
    pub(crate) fn click(&mut self, selector: &str) {
        let place = self.value(&format!(
            "(() => {{
               const element = document.querySelector({});
               element.scrollIntoView({{block: 'center', inline: 'center'}});
               const box = element.getBoundingClientRect();
               return [box.left + box.width / 2, box.top + box.height / 2];
             }})()",
            json!(selector)
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event =
                json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Presses a key: `j`, `Enter`, `Escape`.
    pub(crate) fn press(&mut self, key: &str) {
        let text = match key {
            "Enter" => "\r",
            // a browser moves its focus by the code of the key, not by its name
            "Tab" => {
                let down = json!({"type": "rawKeyDown", "key": key, "windowsVirtualKeyCode": 9});
                self.call("Input.dispatchKeyEvent", down);
                self.call("Input.dispatchKeyEvent", json!({"type": "keyUp", "key": key}));
                return;
            }
            key if key.chars().count() == 1 => key,
            _ => "",
        };
        self.call("Input.dispatchKeyEvent", json!({"type": "keyDown", "key": key, "text": text}));
        self.call("Input.dispatchKeyEvent", json!({"type": "keyUp", "key": key}));
    }

    /// Types a text where the focus is.
    pub(crate) fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({"text": text}));
    }

    /// Gives the window this size, in CSS pixels.
    pub(crate) fn size(&mut self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// Whether the reader prefers dark colours.
    pub(crate) fn prefers(&mut self, scheme: &str) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", features);
    }

    /// Shows the page as paper of this width would, in CSS pixels, or as a screen again.
    pub(crate) fn on_paper(&mut self, width: Option<u32>) {
        let media = if width.is_some() { "print" } else { "" };
        self.call("Emulation.setEmulatedMedia", json!({"media": media}));
        self.size(width.unwrap_or(1280), 900);
    }

    /// The pages that printing makes, as PDF.
    pub(crate) fn print(&mut self) -> Vec<u8> {
        self.picture("Page.printToPDF")
    }

    /// Writes a picture of what is seen to the folder that `PODLINE_SCREENSHOTS` names, if it does.
    pub(crate) fn screenshot(&mut self, name: &str) {
        if let Some(folder) = std::env::var_os("PODLINE_SCREENSHOTS") {
            let picture = self.picture("Page.captureScreenshot");
            std::fs::write(Path::new(&folder).join(name).with_extension("png"), picture)
                .expect("a picture can be written");
        }
    }

    fn picture(&mut self, method: &str) -> Vec<u8> {
        use base64::Engine as _;
        let answer = self.call(method, json!({}));
        let data = answer["data"].as_str().expect("a picture has data");
        base64::engine::general_purpose::STANDARD.decode(data).expect("it is in base64")
    }

    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.calls += 1;
        let mut message = json!({"id": self.calls, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        write!(self.to, "{message}\0").expect("Chromium listens");
        loop {
            let mut bytes = Vec::new();
            self.from.read_until(0, &mut bytes).expect("Chromium can be heard");
            assert_eq!(bytes.pop(), Some(0), "Chromium has ended");
            let answer: Value = serde_json::from_slice(&bytes).expect("Chromium speaks JSON");
            if answer["id"] == json!(self.calls) {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
            if let Some("Runtime.exceptionThrown" | "Log.entryAdded") = answer["method"].as_str() {
                self.complaints.push(answer["params"].to_string());
            }
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // a browser that is gone already is what is wanted
        drop(self.browser.kill());
        drop(self.browser.wait());
    }
}
