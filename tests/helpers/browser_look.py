"""Run by the browser's userland: how a page comes out on a phone and on a desktop, as JSON.

python3 browser_look.py PAGE FOLDER     pictures go to FOLDER
"""

import base64
import json
import sys
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

SCREENS = {"phone": (390, 844, 2, True), "desktop": (1440, 900, 1, False)}

MEASURE = """
const root = document.documentElement;
const wide = [...document.querySelectorAll('body *')].filter(e => {
  const box = e.getBoundingClientRect();
  return box.right > root.clientWidth + 0.5 && !e.closest('.scroll') && !e.closest('details');
});
return {
  width: root.clientWidth, scroll: root.scrollWidth, height: root.scrollHeight,
  images: document.images.length,
  broken: [...document.images].filter(i => !i.complete || i.naturalWidth == 0).length,
  wide: wide.slice(0, 5).map(e => e.tagName + '.' + e.className),
  requests: performance.getEntriesByType('resource').map(r => r.name.slice(0, 80))
    .filter(n => !n.startsWith('data:')),
  figures: Math.min(...[...document.querySelectorAll('figure img')]
    .map(i => i.getBoundingClientRect().width / i.naturalWidth)),
  narrow: [...document.querySelectorAll('td')].filter(cell => cell.textContent.trim().length > 3
    && cell.getBoundingClientRect().width < 40).slice(0, 5).map(cell => cell.textContent),
  smallest: Math.min(...[...document.querySelectorAll('p, td, figcaption, span, pre')]
    .map(e => parseFloat(getComputedStyle(e).fontSize))),
};
"""


def main(page, folder):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    answers = {}
    try:
        for name, (width, height, scale, mobile) in SCREENS.items():
            metrics = {"width": width, "height": height, "deviceScaleFactor": scale}
            driver.execute_cdp_cmd(
                "Emulation.setDeviceMetricsOverride", {**metrics, "mobile": mobile}
            )
            driver.get(Path(page).as_uri())
            # Pictures that load when they come near are asked for all at once.
            driver.execute_script(
                "document.querySelectorAll('img').forEach(i => { i.loading = 'eager'; })"
            )
            driver.execute_async_script(
                "const done = arguments[0];"
                "Promise.all([...document.images].map(i => i.decode().catch(() => 0))).then(done)"
            )
            answers[name] = driver.execute_script(MEASURE)
            answers[name]["console"] = [line["message"] for line in driver.get_log("browser")]
            shot = driver.execute_cdp_cmd(
                "Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True}
            )
            Path(folder, name + ".png").write_bytes(base64.b64decode(shot["data"]))
    finally:
        driver.quit()
    print("ANSWER " + json.dumps(answers))


main(*sys.argv[1:])
