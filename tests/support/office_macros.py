"""What the tests ask of LibreOffice about buttons and macros; runs inside office_inside.py."""

import subprocess
import time

from com.sun.star.accessibility.AccessibleRole import PUSH_BUTTON
from office_scripts import opened, read_sheets

URL = "vnd.sun.star.script:VBAProject.{}?language=Basic&location=document"


def run_macros(desktop, context, path, steps, changes=()):
    """Run (sheet, macro) after each other, the sheet shown; return that sheet and what the macro returned.

    changes: (sheet, address, number) made before.
    """
    with opened(desktop, path, macros=True) as document:
        for sheet, address, number in changes:
            document.Sheets.getByName(sheet).getCellRangeByName(address).setValue(number)
        seen = []
        for sheet, macro in steps:
            document.CurrentController.setActiveSheet(document.Sheets.getByName(sheet))
            returned, _, _ = document.getScriptProvider().getScript(URL.format(macro)).invoke((), (), ())
            seen.append({**read_sheets(document, sheet)[sheet], "returned": returned})
        return seen


def buttons(desktop, context, path):
    """Return (sheet, caption, macros) of every button."""
    found = []
    with opened(desktop, path) as document:
        for sheet in document.Sheets:
            forms = sheet.DrawPage.Forms
            for form in (forms.getByIndex(i) for i in range(forms.Count)):
                for i in range(form.Count):
                    macros = [event.ScriptCode for event in form.getScriptEvents(i)]
                    found.append([sheet.Name, form.getByIndex(i).Label, macros])
    return found


def click(desktop, context, path, sheet, captions):
    """Click buttons of a sheet with the mouse, as people do; return the sheet's values after each click."""
    with opened(desktop, path, macros=True, hidden=False) as document:
        controller = document.CurrentController
        controller.setActiveSheet(document.Sheets.getByName(sheet))
        return [click_one(document, sheet, caption) for caption in captions]


def click_one(document, sheet, caption):
    """Click a button and wait until the sheet has changed."""
    window = document.CurrentController.Frame.ContainerWindow
    x, y = wait_for(lambda: place_of(window.AccessibleContext, caption))
    before = read_sheets(document, sheet)
    subprocess.run(["xdotool", "mousemove", str(x), str(y), "click", "1"], check=True)
    return wait_for(lambda: settled(document, sheet, before))[sheet]["values"]


def wait_for(look):
    """Return what look() gives as soon as it gives something."""
    for _ in range(100):
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise TimeoutError("nothing happened for ten seconds")


def settled(document, sheet, before):
    """Return a sheet once it is no longer what it was and stays as it is, None until then."""
    now = read_sheets(document, sheet)
    time.sleep(0.1)
    return now if now != before and now == read_sheets(document, sheet) else None


def place_of(accessible, caption):
    """Return the middle of the push button with this caption on the screen, None while it is not there."""
    if accessible.AccessibleRole == PUSH_BUTTON and accessible.AccessibleName == caption:
        corner, size = accessible.LocationOnScreen, accessible.Size
        return corner.X + size.Width // 2, corner.Y + size.Height // 2
    count = accessible.AccessibleChildCount
    for i in range(count if count < 1000 else 0):  # not the cells, which are millions
        found = place_of(accessible.getAccessibleChild(i).AccessibleContext, caption)
        if found:
            return found
    return None
