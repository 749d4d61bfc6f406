/* What pages do beside htmx. All of it is comfort: without scripts everything works. */
"use strict";
{
    // The zone in which the server writes times for this browser (workflow/middleware.py).
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (zone) {
        const secure = location.protocol === "https:" ? "; Secure" : "";
        document.cookie = `workflow_timezone=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
    }

    // A form is sent once, however often its button is pressed; the server sees to it as well.
    document.addEventListener("submit", (event) => {
        const form = event.target;
        if (event.defaultPrevented || form.method !== "post") {
            return;
        }
        if (form.dataset.sent) {
            event.preventDefault();
            return;
        }
        form.dataset.sent = "yes";
        form.querySelectorAll("button").forEach((button) => button.setAttribute("aria-disabled", "true"));
    });

    // Who comes back by the browser's "back" may send it again.
    addEventListener("pageshow", () => {
        document.querySelectorAll("form[data-sent]").forEach((form) => {
            delete form.dataset.sent;
            form.querySelectorAll("button").forEach((button) => button.removeAttribute("aria-disabled"));
        });
    });

    // Enter on a checkbox would press the first button of its form, whatever that does.
    document.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && event.target.matches("input[type=checkbox]")) {
            event.preventDefault();
        }
    });

    // An open menu closes by Escape, and by a click elsewhere.
    const menus = () => document.querySelectorAll("details.menu[open]");
    document.addEventListener("keydown", (event) => {
        if (event.key === "Escape") {
            menus().forEach((menu) => {
                menu.open = false;
                menu.querySelector("summary").focus();
            });
        }
    });
    document.addEventListener("click", (event) => {
        menus().forEach((menu) => {
            if (!menu.contains(event.target)) {
                menu.open = false;
            }
        });
    });

    // Nobody looks at a page in a hidden tab, so it asks for nothing.
    document.addEventListener("htmx:beforeRequest", (event) => {
        if (document.hidden && event.detail.requestConfig.verb === "get") {
            event.preventDefault();
        }
    });

    // The inbox: what is selected is counted, all of a page is selected at once, and stays so when the list is renewed.
    const tasks = () => [...document.querySelectorAll("#inbox-list [name=task]")];
    const count = () => {
        const selected = tasks().filter((box) => box.checked).length;
        document.querySelectorAll("[data-selected]").forEach((place) => {
            place.textContent = selected ? `(${selected})` : "";
        });
        document.querySelectorAll("[data-select-all]").forEach((box) => {
            box.hidden = false;
            box.checked = selected > 0 && selected === tasks().length;
            box.indeterminate = selected > 0 && !box.checked;
        });
    };
    document.addEventListener("change", (event) => {
        if (event.target.matches("[data-select-all]")) {
            tasks().forEach((box) => {
                box.checked = event.target.checked;
            });
        }
        count();
    });
    let selected = new Set();
    document.addEventListener("htmx:beforeSwap", () => {
        selected = new Set(tasks().filter((box) => box.checked).map((box) => box.id));
    });
    document.addEventListener("htmx:afterSwap", () => {
        tasks().forEach((box) => {
            box.checked = box.checked || selected.has(box.id);
        });
        count();
    });
    addEventListener("pageshow", count);

    // Fields for a person offer those whose names begin with what is typed.
    let typing;
    const offer = async (text) => {
        const people = document.getElementById("people");
        if (people && text.length > 1) {
            const answer = await fetch(`${people.dataset.source}?q=${encodeURIComponent(text)}`);
            if (answer.ok && !answer.redirected) {
                people.innerHTML = await answer.text();
            }
        }
    };
    document.addEventListener("input", (event) => {
        if (event.target.matches("[data-people]")) {
            clearTimeout(typing);
            typing = setTimeout(offer, 200, event.target.value.trim());
        }
    });
}
