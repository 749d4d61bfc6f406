/* Turns text fields for code into editors. Tab indents; Escape leaves the editor, and then Tab goes on to the next field. */
"use strict";
{
    const THEMES = {light: "ace/theme/github_light_default", dark: "ace/theme/github_dark"};

    const theme = () => {
        const chosen = document.documentElement.dataset.theme;
        const isDark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
        return isDark ? THEMES.dark : THEMES.light;
    };

    const labelOf = (field) => document.querySelector(`label[for="${field.id}"]`);

    const mount = (field) => {
        const place = document.createElement("div");
        place.className = "workflow-editor";
        field.before(place);
        field.hidden = true;
        const label = labelOf(field);
        const name = label ? label.textContent.trim().replace(/:$/, "") : "";
        const editor = ace.edit(place, {
            mode: "ace/mode/python",
            theme: theme(),
            value: field.value,
            readOnly: field.disabled,
            enableKeyboardAccessibility: true,
            textInputAriaLabel: name,
            useSoftTabs: true,
            tabSize: 4,
            useWorker: false,
            wrap: true,
            indentedSoftWrap: false,
            minLines: 6,
            maxLines: 30,
            fontSize: 13,
            showPrintMargin: false,
            highlightActiveLine: false,
            highlightGutterLine: false,
        });
        editor.session.setValue(field.value); // so that undo does not go back to before
        editor.renderer.scroller.setAttribute("aria-label", `${name}: ${field.dataset.workflowEditor}`);
        const described = field.getAttribute("aria-describedby");
        if (described) {
            editor.renderer.scroller.setAttribute("aria-describedby", described);
        }
        editor.session.on("change", () => {
            field.value = editor.getValue();
            field.dispatchEvent(new Event("input", {bubbles: true}));
        });
        if (label) {
            label.addEventListener("click", () => editor.focus());
        }
        return editor;
    };

    const editors = [];

    const mountAll = (part) => {
        for (const field of part.querySelectorAll("textarea[data-workflow-editor]:not([hidden])")) {
            if (!field.closest(".empty-form")) {
                editors.push(mount(field));
            }
        }
    };

    const dress = () => editors.forEach((editor) => editor.setTheme(theme()));

    ace.config.set("useStrictCSP", true);
    document.addEventListener("DOMContentLoaded", () => mountAll(document));
    document.addEventListener("formset:added", (event) => mountAll(event.target));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);
    new MutationObserver(dress).observe(document.documentElement, {attributeFilter: ["data-theme"]});
}
