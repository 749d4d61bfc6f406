/* The process page: task names that are being typed can be picked for steps, and code editors fit the page. */
"use strict";
{
    const names = () => [...document.querySelectorAll('input[name^="tasks-"][name$="-name"]')]
        .filter((input) => !input.name.includes("__prefix__"))
        .map((input) => input.value.trim())
        .filter(Boolean);

    const offerNames = () => {
        const list = document.getElementById("task-names");
        if (!list) {
            return;
        }
        list.replaceChildren(...names().map((name) => {
            const option = document.createElement("option");
            option.value = name;
            return option;
        }));
    };

    const isDark = () => {
        const chosen = document.documentElement.dataset.theme;
        return chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
    };

    const fit = (widget) => {
        const editor = widget.editor;
        if (!editor || widget.dataset.fitted) {
            return;
        }
        widget.dataset.fitted = "yes";
        const field = widget.parentNode.querySelector("textarea:not(.ace_text-input)");
        const label = field && document.querySelector(`label[for="${field.id}"]`);
        editor.textInput.getElement().setAttribute("aria-label", label ? label.textContent : "Code");
        editor.setTheme(isDark() ? "ace/theme/tomorrow_night" : "ace/theme/textmate");
        // Tab indents; after Escape it leaves, so that the editor is no trap for the keyboard.
        let leaving = false;
        editor.textInput.getElement().addEventListener("keydown", (event) => {
            if (event.key === "Escape") {
                leaving = true;
            } else if (event.key === "Tab" && leaving) {
                event.stopImmediatePropagation();
                leaving = false;
            } else if (event.key !== "Shift") {
                leaving = false;
            }
        }, {capture: true});
    };

    // A manual task has an approver and no code; any other has code and no approver.
    const fold = (checkbox) => {
        const group = checkbox.closest(".inline-related");
        const rows = {
            code: group.querySelector(".form-row.field-code"),
            limits: group.querySelectorAll("fieldset")[1],
            approver: group.querySelector(".fieldBox.field-approver").parentElement,
        };
        const used = (element) => [...element.querySelectorAll("textarea, input[type=text]")].some((field) => field.value.trim());
        rows.code.hidden = checkbox.checked && !used(rows.code);
        rows.limits.hidden = rows.code.hidden;
        rows.approver.hidden = !checkbox.checked && !used(rows.approver);
        const widget = rows.code.querySelector(".django-ace-widget");
        if (widget && widget.editor) {
            widget.editor.resize();
        }
    };

    const foldAll = () => document.querySelectorAll('input[name^="tasks-"][name$="-manual"]').forEach(fold);

    document.addEventListener("change", (event) => {
        if (/^tasks-\d+-manual$/.test(event.target.name || "")) {
            fold(event.target);
        }
    });

    const fitAll = () => document.querySelectorAll(".django-ace-widget").forEach(fit);

    document.addEventListener("input", (event) => {
        if (/^tasks-\d+-name$/.test(event.target.name || "")) {
            offerNames();
        }
    });
    document.addEventListener("formset:added", () => setTimeout(() => { fitAll(); foldAll(); offerNames(); }));
    window.addEventListener("load", () => setTimeout(() => { fitAll(); foldAll(); offerNames(); }));
}
