/* The process page. Everything on it works without this script; with it, tasks fold, and rows follow their tasks:
   the names being typed can be picked for rows, and a row goes on naming its task while that is being renamed. */
"use strict";
{
    const TASK_NAME = /^tasks-\d+-name$/;
    const ROW_TASK = /^(transitions|form_fields)-\d+-task_name$|^tasks-\d+-(not_)?same_as$/;

    const fields = (pattern) =>
        [...document.querySelectorAll("#tasks-group input, #transitions-group input, #form_fields-group input")]
            .filter((field) => pattern.test(field.name));
    const partOf = (task, name) => task.querySelector(`[name$="-${name}"]`);

    // Which task a row names, kept by the row's field: names alone are not enough while two of them change.
    const named = new WeakMap();

    const bind = (field) => {
        const name = field.value.trim();
        named.set(field, fields(TASK_NAME).find((task) => name && task.value.trim() === name));
    };

    const follow = (task) => {
        for (const row of fields(ROW_TASK)) {
            if (named.get(row) === task && task.value.trim()) {
                row.value = task.value.trim();
            }
        }
    };

    const offerNames = () => {
        const names = fields(TASK_NAME).map((field) => field.value.trim()).filter(Boolean);
        document.getElementById("workflow-task-names")?.replaceChildren(
            ...[...new Set(names)].map((name) => Object.assign(document.createElement("option"), {value: name})),
        );
    };

    // A task folds to its heading, which says what kind of task it is.

    const isFolded = (task) => task.classList.contains("workflow-folded");

    const fold = (task, folded) => {
        task.classList.toggle("workflow-folded", folded);
        task.querySelector(".workflow-fold").setAttribute("aria-expanded", String(!folded));
    };

    const addFold = (task) => {
        const label = task.querySelector("h3 .inline_label");
        if (!label || task.querySelector(".workflow-fold")) {
            return;
        }
        const button = Object.assign(document.createElement("button"), {type: "button", className: "workflow-fold"});
        label.replaceWith(button);
        button.append(label);
        button.addEventListener("click", () => fold(task, !isFolded(task)));
        const isOther = document.querySelector("#tasks-group .has_original") && !partOf(task, "name")?.value;
        fold(task, (task.classList.contains("has_original") || isOther) && !task.querySelector(".errorlist, .errors"));
    };

    const head = (task) => {
        const label = task.querySelector(".inline_label");
        const name = partOf(task, "name")?.value.trim();
        if (label && name) {
            label.textContent = name;
        }
        const kind = partOf(task, "manual")?.closest(".form-row")?.querySelector("label")?.textContent;
        const started = partOf(task, "subprocess");
        const process = started?.value ? started.selectedOptions[0].textContent : "";
        label?.setAttribute("data-kind", partOf(task, "manual")?.checked ? kind.toLowerCase() : process);
    };

    // Of approver, code and sub-process a task has one, by its kind; what is filled in stays in sight, and sections
    // that hold anything are open.

    const empty = (field) =>
        document.querySelector(`#tasks-empty [name="${field.name.replace(/^tasks-\d+-/, "tasks-__prefix__-")}"]`);
    const isFilled = (field) => field.value.trim() !== (empty(field)?.value.trim() ?? "");
    const fieldsIn = (section) => [...section.querySelectorAll("input, select, textarea")].filter((one) => one.name);

    const unfold = (task) => {
        for (const section of task.querySelectorAll("details")) {
            section.open ||= fieldsIn(section).some(isFilled);
        }
    };

    const sort = (task) => {
        const manual = partOf(task, "manual");
        if (!manual) {
            return;
        }
        const show = (name, wanted) => {
            const field = partOf(task, name);
            const row = field?.closest(".form-row");
            if (row) {
                row.classList.toggle("workflow-unused", !wanted && !field.value.trim() && !row.querySelector(".errorlist"));
            }
        };
        const started = partOf(task, "subprocess");
        const section = started?.closest("fieldset");
        show("approver", manual.checked);
        show("code", !manual.checked && !started?.value);
        section?.classList.toggle("workflow-unused", manual.checked && !fieldsIn(section).some(isFilled));
        for (const name of ["quorum", "due"]) {
            const people = partOf(task, name)?.closest("fieldset");
            people?.classList.toggle("workflow-unused", !manual.checked && !fieldsIn(people).some(isFilled));
        }
    };

    const setUp = (task) => {
        addFold(task);
        head(task);
        sort(task);
        unfold(task);
    };

    const tasks = () => document.querySelectorAll("#tasks-group .inline-related:not(.empty-form)");

    const reveal = () => {
        const place = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
        const task = place && place.closest("#tasks-group .inline-related");
        if (task && task.querySelector(".workflow-fold")) {
            fold(task, false);
            place.scrollIntoView();
        }
    };

    document.addEventListener("input", ({target}) => {
        if (TASK_NAME.test(target.name)) {
            follow(target);
            offerNames();
            head(target.closest(".inline-related"));
        } else if (ROW_TASK.test(target.name)) {
            bind(target);
        }
    });
    document.addEventListener("change", ({target}) => {
        if (/^tasks-\d+-(manual|approver|subprocess)$/.test(target.name)) {
            head(target.closest(".inline-related"));
            sort(target.closest(".inline-related"));
        }
        if (TASK_NAME.test(target.name)) {
            fields(ROW_TASK).filter((row) => !named.get(row)).forEach(bind);
        }
    });
    document.addEventListener("formset:added", ({target, detail}) => {
        if (detail.formsetName === "tasks") {
            setUp(target);
            fold(target, false);
            partOf(target, "name").focus();
        }
    });
    document.addEventListener("formset:removed", offerNames);
    window.addEventListener("hashchange", reveal);
    window.addEventListener("load", () => {
        tasks().forEach(setUp);
        fields(ROW_TASK).forEach(bind);
        offerNames();
        reveal();
    });

    // What has been typed is not lost by a wrong click.
    let isChanged = false;
    document.addEventListener("input", () => { isChanged = true; });
    document.addEventListener("submit", () => { isChanged = false; });
    window.addEventListener("beforeunload", (event) => {
        if (isChanged) {
            event.preventDefault();
        }
    });
}
