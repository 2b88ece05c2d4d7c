"""The chat, with two pages."""

from examples.served import running


async def test_all_see_what_one_says(open_page):
    async with open_page() as page, running("chat", page) as chat:
        await chat.open("one")
        await chat.until("one", "page.body.textContent.includes('Guest 1 has come')")
        await chat.open("other")
        for name in ("one", "other"):
            await chat.until(name, "page.body.textContent.includes('Guest 2 has come')")
        await chat.do("one", "page.querySelector('input').value = args[1]; page.querySelector('button').click()", "Hé!")
        await chat.line("Guest 1: Hé!")
        for name in ("one", "other"):
            await chat.until(name, "page.body.textContent.includes('Guest 1: Hé!')")
        await chat.close("other")
        await chat.until("one", "page.body.textContent.includes('Guest 2 has left')")
        await chat.open("other")
        await chat.until("one", "page.body.textContent.includes('Guest 3 has come')")
