// What every page can do better with a script; each page works without.

// Times are written in UTC; the reader's own time is shown on hover.
for (const time of document.querySelectorAll("time[datetime]")) {
  const moment = new Date(time.dateTime);
  if (!Number.isNaN(moment.valueOf())) {
    time.title = moment.toLocaleString(document.documentElement.lang, { timeZoneName: "short" });
  }
}

// A form that is sent without its empty fields makes a link that can be read.
for (const form of document.querySelectorAll("form[method=get]")) {
  form.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) {
      if (value === "") {
        formData.delete(name);
      }
    }
  });
}

// The code of a one-time link does not stay in the address.
if (document.querySelector("[data-forget-query]")) {
  history.replaceState(null, "", location.pathname);
}

// What is shown once can be copied at a click.
for (const button of document.querySelectorAll("button[data-copies]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copies);
    source.select();
    await navigator.clipboard.writeText(source.value);
    button.textContent = button.dataset.copied;
  });
}
