/* Looks again at this page now and then: shows what is new where it changed, opens it afresh when a state has passed. */

const root = document.querySelector("[data-await]");
const seconds = Number(root?.dataset.every ?? 3);

async function look() {
  if (document.hidden) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const state = fresh.querySelector("[data-await]")?.dataset.await;
  if (state !== root.dataset.await) {
    location.reload();
    return;
  }
  for (const part of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(part.id);
    if (now && now.textContent !== part.textContent) part.textContent = now.textContent;
  }
}

if (root) setInterval(() => look().catch(() => {}), seconds * 1000);
