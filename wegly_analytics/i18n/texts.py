"""Every text that a user sees in a table or a chart, in English and Portuguese; numbers and dates by Babel.

The English text is the key, as with gettext: ``say("deals", "pt")``. A text without a translation is an error, so that
none can be forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from babel.dates import format_date, format_skeleton
from babel.numbers import format_compact_currency, format_currency, format_decimal, format_percent

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

LOCALES: Final = {"en": "en_US", "pt": "pt_BR"}
"""The languages there are."""

PORTUGUESE: Final = {
    # titles
    "Win rate": "Taxa de ganho",
    "Win rate by {groups}": "Taxa de ganho por {groups}",
    "Deals won and lost": "Negócios ganhos e perdidos",
    "Win rate over time by {groups}": "Taxa de ganho ao longo do tempo por {groups}",
    "Why deals are lost": "Por que os negócios são perdidos",
    "Why deals are lost, by {groups}": "Por que os negócios são perdidos, por {groups}",
    "Pipeline velocity": "Velocidade do funil",
    "Pipeline velocity by {groups}": "Velocidade do funil por {groups}",
    "Time in stage": "Tempo em cada etapa",
    "Time in stage by {groups}": "Tempo em cada etapa por {groups}",
    # axes, legends and labels
    "share of deals won": "parcela de negócios ganhos",
    "won ↑ and lost ↓ (deals)": "ganhos ↑ e perdidos ↓ (negócios)",
    "lost deals": "negócios perdidos",
    "money per day": "dinheiro por dia",
    "days in stage": "dias na etapa",
    "period of closing": "período de fechamento",
    "period": "período",
    "won": "ganhos",
    "lost": "perdidos",
    "open": "em aberto",
    "n={n}": "n={n}",
    "{days} d": "{days} d",
    "more than half still in": "mais da metade ainda na etapa",
    "{left} left, {still_in} still in": "{left} saíram, {still_in} continuam",
    "{deals} deals × {rate} × {value} ÷ {days} d": "{deals} negócios × {rate} × {value} ÷ {days} d",
    "{deals} ({share})": "{deals} ({share})",
    "{share} together": "{share} acumulados",
    "pale: not finished": "claro: não terminado",
    "dotted: not finished": "pontilhado: não terminado",
    "hollow: fewer than {n}": "vazado: menos de {n}",
    "All deals": "Todos os negócios",
    "(not informed)": "(não informado)",
    "(no pipeline any more)": "(fora dos funis atuais)",
    # where there is nothing to draw
    "Nothing to draw: no deal was closed.": "Nada a desenhar: nenhum negócio foi encerrado.",
    "Nothing to draw: no deal was lost.": "Nada a desenhar: nenhum negócio foi perdido.",
    "Nothing to draw: a lever is missing (won deals with value and dates).": (
        "Nada a desenhar: falta um dos fatores (negócios ganhos com valor e datas)."
    ),
    "Nothing to draw: no stage times are known.": "Nada a desenhar: não há tempos de etapa.",
    # columns by which people group
    "source": "origem",
    "responsible": "responsável",
    "pipeline": "funil",
    "stage": "etapa",
    "loss_reason": "motivo de perda",
    "status": "situação",
    "temperature": "temperatura",
    "organization": "organização",
    "campaign": "campanha",
    # rules
    "won ÷ (won + lost), by close moment": "ganhos ÷ (ganhos + perdidos), pelo momento do fechamento",
    "won ÷ all created": "ganhos ÷ todos os criados",
    "won ÷ (won + lost + open past their expected close)": (
        "ganhos ÷ (ganhos + perdidos + em aberto com previsão vencida)"
    ),
    "weighted by value": "ponderado pelo valor",
    "Wilson interval, 95 %": "intervalo de Wilson, 95 %",
    "archived deals left out": "sem os arquivados",
    "archived deals counted": "com os arquivados",
    "lost deals by reason, most first": "negócios perdidos por motivo, do mais ao menos frequente",
    "the uninformed stay in the denominator": "os não informados ficam no denominador",
    "deals × win rate × average won value ÷ average days to win, money per day": (
        "negócios × taxa de ganho × valor médio ganho ÷ dias médios até ganhar, dinheiro por dia"
    ),
    "deals = open at the snapshot's moment": "negócios = em aberto no momento da coleta",
    "deals = open at each period's end": "negócios = em aberto no fim de cada período",
    "deals = created in the period": "negócios = criados no período",
    "deals = closed in the period": "negócios = encerrados no período",
    "days in stage, Kaplan-Meier; the current stage of an open deal still counts on": (
        "dias na etapa, Kaplan-Meier; a etapa atual de um negócio em aberto continua contando"
    ),
    "by period of closing": "por período de fechamento",
    "no deal was lost: a rate of closed deals says little here": (
        "nenhum negócio foi perdido: uma taxa dos encerrados diz pouco aqui"
    ),
    # what was left out
    "{n} {reason}": "{n} {reason}",
    "archived": "arquivados",
    "status unknown": "com situação desconhecida",
    "closed without a closing date": "encerrados sem data",
    "won before created": "ganhos antes de criados",
    "won without value": "ganhos sem valor",
    "without value": "sem valor",
    "without stage times": "sem tempo na etapa",
    # completeness
    "{received} of {requested} requested deals received": "vieram {received} de {requested} negócios pedidos",
    "{in_scope} in scope": "{in_scope} no recorte",
    "{n} not found": "{n} não encontrados",
    "{n} forbidden": "{n} proibidos",
    "{n} failed": "{n} falharam",
    "{n} unreadable": "{n} ilegíveis",
    "as of {day}": "em {day}",
    # trust, and what changed
    "What changed the pipeline velocity": "O que mudou a velocidade do funil",
    "What changed the pipeline velocity, by {groups}": "O que mudou a velocidade do funil, por {groups}",
    "Nothing to draw: there are no two periods in which all levers are known.": (
        "Nada a desenhar: não há dois períodos em que todos os fatores sejam conhecidos."
    ),
    "number of deals": "número de negócios",
    "share won": "parcela ganha",
    "value of a won deal": "valor de um negócio ganho",
    "days to win": "dias até ganhar",
    "{n} deals closed in both periods": "{n} negócios encerrados nos dois períodos",
    "earlier": "antes",
    "later": "depois",
    "change of money per day": "mudança do dinheiro por dia",
    "{start} to {end}, ◆ in all": "de {start} a {end}, ◆ no total",
    "deals": "negócios",
    "win rate": "taxa de ganho",
    "value": "valor",
    "days": "dias",
    "change split by the logarithmic mean Divisia index: the parts add up": (
        "mudança dividida pelo índice de Divisia de média logarítmica: as partes somam o todo"
    ),
    "expectations that a deal's record breaks": "expectativas que o registro de um negócio não cumpre",
    "won without a date": "ganho sem data",
    "lost without reason": "perdido sem motivo",
    "lost without a date": "perdido sem data",
    "open past its expected close": "em aberto depois da previsão de fechamento",
    "silent for too long": "parado há tempo demais",
    "won and lost dates both set": "com data de ganho e de perda",
    "open with a closing date": "em aberto com data de fechamento",
    "closed before created": "fechado antes de criado",
    "stage not in its pipeline": "etapa fora do funil",
    "proposals miscounted": "propostas mal contadas",
    "value not positive": "valor não positivo",
    "a deal with several tags counts in each": "um negócio com várias etiquetas conta em cada uma",
    "each figure under several definitions": "cada número segundo várias definições",
    "average days from creation to winning": "dias médios da criação ao ganho",
    "average days from creation to closing, won and lost": "dias médios da criação ao fechamento, ganhos e perdidos",
    "all time in stages that the pipeline still has ÷ deals": "todo o tempo nas etapas atuais do funil ÷ negócios",
    "tag": "etiqueta",
    "Why deals are lost, over time": "Por que os negócios são perdidos, ao longo do tempo",
    "line: added up": "linha: acumulado",
    "{n} others": "outros {n}",
    "share of each column's lost deals": "parcela dos negócios perdidos de cada coluna",
    "hollow: fewer than {n} deals, or not finished": "vazado: menos de {n} negócios, ou não terminado",
    "there are not two complete periods to compare": "não há dois períodos completos para comparar",
    "the later period is not finished": "o período posterior não terminou",
    "a lever is missing in one of the periods: its change is not split": (
        "falta um fator em um dos períodos: a mudança não é dividida"
    ),
    # how long deals take, and those that take too long
    "Won and lost by age of deals": "Ganhos e perdidos conforme a idade dos negócios",
    "Won by age, by {groups}": "Ganhos conforme a idade, por {groups}",
    "share of deals": "parcela dos negócios",
    "days since creation": "dias desde a criação",
    "at risk": "em risco",
    "dotted: fewer than {n} at risk": "pontilhado: menos de {n} em risco",
    "the {drawn} largest of {all} groups": "os {drawn} maiores de {all} grupos",
    "not drawn: {names}": "não desenhados: {names}",
    "{name}: {share} by day {days}": "{name}: {share} até o dia {days}",
    "shares of deals won and lost by age, Aalen-Johansen; an open deal counts on": (
        "parcelas de negócios ganhos e perdidos por idade, Aalen-Johansen; um negócio em aberto continua contando"
    ),
    "log(-log) interval, 95 %": "intervalo log(-log), 95 %",
    "without creation date": "sem data de criação",
    "created after the snapshot": "criados depois da coleta",
    "Stalled deals": "Negócios parados",
    "Stalled deals, by {groups}": "Negócios parados, por {groups}",
    "Nothing to draw: no open deal has waited longer than most.": (
        "Nada a desenhar: nenhum negócio em aberto espera mais que a maioria."
    ),
    "mark: {share} had left by then": "marca: até aí {share} saíram",
    "the {n} most valuable": "os {n} de maior valor",
    "open deals that are longer in their stage than the share q of those that left it": (
        "negócios em aberto há mais tempo na etapa que a parcela q dos que saíram dela"
    ),
    "in a stage that few deals have left": "em etapa da qual poucos saíram",
    "with a negative value": "com valor negativo",
    # proposals and discounts
    "What became of proposals": "O que foi feito das propostas",
    "What became of proposals, by {groups}": "O que foi feito das propostas, por {groups}",
    "Nothing to draw: there are no proposals.": "Nada a desenhar: não há propostas.",
    "share of proposals sent": "parcela das propostas enviadas",
    "approved": "aprovadas",
    "rejected": "recusadas",
    "expired": "vencidas",
    "withdrawn": "retiradas",
    "pending": "pendentes",
    "proposals by their dates": "propostas pelas suas datas",
    "approved ÷ (approved + rejected + expired)": "aprovadas ÷ (aprovadas + recusadas + vencidas)",
    "proposals without a price": "propostas sem preço",
    "Win rate by discount": "Taxa de ganho por desconto",
    "Win rate by discount and {groups}": "Taxa de ganho por desconto e {groups}",
    "Nothing to draw: no closed deal had a priced proposal.": (
        "Nada a desenhar: nenhum negócio fechado teve proposta com preço."
    ),
    "no discount": "sem desconto",
    "up to {end}": "até {end}",
    "above {start}": "acima de {start}",
    "{start} to {end}": "{start} a {end}",
    "won ÷ (won + lost) of deals with a proposal, by 1 − total ÷ subtotal of the primary one": (
        "ganhos ÷ (ganhos + perdidos) dos negócios com proposta, por 1 − total ÷ subtotal da principal"
    ),
    "closed without a primary proposal": "fechados sem proposta principal",
    "with a proposal without a price": "com proposta sem preço",
    "dearer than the subtotal": "mais caros que o subtotal",
    # what lies in the pipeline
    "Value in the pipeline": "Valor no funil",
    "Value in the pipeline, by {groups}": "Valor no funil, por {groups}",
    "Nothing to draw: there are no open deals in any stage.": (
        "Nada a desenhar: não há negócios em aberto em nenhuma etapa."
    ),
    "{value}, weighted {weighted} ({n})": "{value}, ponderado {weighted} ({n})",
    "open value; full colour: weighted by the stage's win rate": (
        "valor em aberto; cor cheia: ponderado pela taxa da etapa"
    ),
    "hollow: fewer than {n} closed deals": "vazado: menos de {n} negócios encerrados",
    "{n} open deals have no value": "{n} negócios em aberto sem valor",
    "open deals by stage": "negócios em aberto por etapa",
    "weighted by the win rate of the closed deals that were in the stage": (
        "ponderado pela taxa de ganho dos negócios fechados que estiveram na etapa"
    ),
    "in no stage of a pipeline": "em nenhuma etapa de um funil",
    "some open deals are in a stage that no closed deal was in: they have no weight": (
        "há negócios em aberto em etapa na qual nenhum fechado esteve: ficam sem peso"
    ),
    "Pipeline coverage": "Cobertura do funil",
    "Pipeline coverage by {groups}": "Cobertura do funil por {groups}",
    "Nothing to draw: nothing is booked, and nothing is expected.": "Nada a desenhar: nada ganho e nada previsto.",
    "{n} ×": "{n} ×",
    "{coverage}, needed {needed}": "{coverage}, necessário {needed}",
    "target met": "meta atingida",
    "money": "dinheiro",
    "booked": "ganho no período",
    "target": "meta",
    "open value expected in the period ÷ (target − booked)": (
        "valor em aberto previsto no período ÷ (meta − ganho no período)"
    ),
    "needed: 1 ÷ win rate by value of the last 365 days": "necessário: 1 ÷ taxa de ganho por valor dos últimos 365 dias",
    "open without value": "em aberto sem valor",
    "open without an expected close": "em aberto sem previsão de fechamento",
    # how far deals get
    "Funnel": "Funil",
    "Funnel by {groups}": "Funil por {groups}",
    "Nothing to draw: no deal got to any stage.": "Nada a desenhar: nenhum negócio chegou a uma etapa.",
    "won {rate} [{low}–{high}]": "ganho {rate} [{low}–{high}]",
    "deals (share of the stage before); green: won": "negócios (parcela da etapa anterior); verde: ganhos",
    "reached: at the stage or beyond, by the furthest position; a won deal reached all": (
        "alcançou: na etapa ou além, pela posição mais avançada; um negócio ganho alcançou todas"
    ),
    "visited: has time in the stage, or is in it now": "visitou: tem tempo na etapa, ou está nela",
    "strict: visited the stage and all before it": "estrito: visitou a etapa e todas as anteriores",
    "win rate of those that got there: won ÷ (won + lost)": (
        "taxa de ganho dos que chegaram lá: ganhos ÷ (ganhos + perdidos)"
    ),
    "in another pipeline, or in none": "em outro funil, ou em nenhum",
    "in no stage of the pipeline": "em nenhuma etapa do funil",
    # what open deals will bring in
    "Forecast": "Previsão",
    "Forecast for {days} days": "Previsão para {days} dias",
    "by {groups}": "por {groups}",
    "Nothing to draw: there are no open deals with a value.": ("Nada a desenhar: não há negócios em aberto com valor."),
    "{expected} [{low} to {high}] of {value} ({n})": "{expected} [{low} a {high}] de {value} ({n})",
    "money won of what is open now; line: {level} of worlds": (
        "dinheiro ganho do que está aberto; linha: {level} dos mundos"
    ),
    "open deals by their chance given their age, Aalen-Johansen": (
        "negócios em aberto pela sua chance conforme a idade, Aalen-Johansen"
    ),
    "interval by bootstrap": "intervalo por bootstrap",
    "beyond the oldest age at which a deal ended no win is expected": (
        "além da maior idade em que um negócio terminou, nenhum ganho é esperado"
    ),
    "without usable dates": "sem datas utilizáveis",
    # plots
    "filters: {filters}": "filtros: {filters}",
    "excluded: {reasons}": "fora da conta: {reasons}",
}
"""English to Portuguese."""


class MissingTranslationError(KeyError):
    """A text that the catalogue does not have."""

    def __str__(self) -> str:
        return f"words.PORTUGUESE has no {self.args[0]!r}: add it"


def say(text: str, lang: str = "en", **params: object) -> str:
    """Say a text of the catalogue in a language.

    Parameters
    ----------
    text
        The English text.
    lang
        ``"en"`` or ``"pt"``.
    **params
        What stands in its braces.

    Raises
    ------
    MissingTranslationError
        If the catalogue does not have the text.
    ValueError
        If the language is unknown.

    Examples
    --------
    >>> say("{received} of {requested} requested deals received", "pt", received=3, requested=4)
    'vieram 3 de 4 negócios pedidos'
    """
    _locale(lang)
    if text not in PORTUGUESE:
        raise MissingTranslationError(text)
    return (PORTUGUESE[text] if lang == "pt" else text).format(**params)


def column(name: str, lang: str) -> str:
    """Name a column by which people group; one that they made themselves keeps its name."""
    return say(name, lang) if name in PORTUGUESE else name.replace("_", " ")


def listed(items: Iterable[str]) -> str:
    """Put several texts in a row."""
    return ", ".join(items)


def number(value: float, lang: str, digits: int = 0) -> str:
    """Write a number.

    Examples
    --------
    >>> number(1234.5, "pt", 1)
    '1.234,5'
    """
    return format_decimal(round(value, digits), format=_decimals(digits), locale=_locale(lang))


def percent(share: float, lang: str, digits: int = 0) -> str:
    r"""Write a share as a percentage.

    Examples
    --------
    >>> percent(0.125, "en", 1), percent(0.125, "pt", 1).replace("\xa0", " ")
    ('12.5%', '12,5 %')
    """
    space = "\N{NO-BREAK SPACE}" if lang == "pt" else ""  # as the international rules for units have it
    return format_percent(share, format=f"{_decimals(digits)}{space}%", locale=_locale(lang))


def money(value: float, lang: str, currency: str = "BRL") -> str:
    r"""Write an amount of money in full.

    Examples
    --------
    >>> money(1234.56, "en"), money(1234.56, "pt").replace("\xa0", " ")
    ('R$1,234.56', 'R$ 1.234,56')
    """
    return format_currency(value, currency, locale=_locale(lang))


def short_money(value: float, lang: str, currency: str = "BRL") -> str:
    r"""Write an amount of money with three digits, for axes and labels.

    Examples
    --------
    >>> short_money(15340, "en"), short_money(15340, "pt").replace("\xa0", " ")
    ('R$15.3K', 'R$ 15,3 mil')
    """
    value = float(f"{value:.3g}")
    scaled = abs(value)
    while scaled >= 1000:
        scaled /= 1000
    digits = 0 if abs(value) < 1000 or scaled == round(scaled) else 1
    return format_compact_currency(value, currency, locale=_locale(lang), fraction_digits=digits)


def day(moment: date, lang: str) -> str:
    """Write a day.

    Examples
    --------
    >>> import datetime
    >>> day(datetime.date(2026, 7, 1), "en"), day(datetime.date(2026, 7, 1), "pt")
    ('Jul 1, 2026', '1 de jul. de 2026')
    """
    return format_date(moment, "medium", locale=_locale(lang))


def period(start: date, every: str | None, lang: str) -> str:
    """Write a period, given its first day.

    Examples
    --------
    >>> import datetime
    >>> [period(datetime.date(2026, 4, 1), every, "pt") for every in ("month", "quarter", "year")]
    ['abr. 26', 'T2 26', '2026']
    """
    match every:
        case "month":
            return format_date(start, "MMM yy", locale=_locale(lang))
        case "quarter":
            return format_date(start, "QQQ yy", locale=_locale(lang))
        case "year":
            return str(start.year)
    return str(format_skeleton("yMd", start, locale=_locale(lang)))


def _decimals(digits: int) -> str:
    return "#,##0" + ("." + "0" * digits if digits else "")


def _locale(lang: str) -> Any:
    if lang not in LOCALES:
        raise ValueError(f"lang={lang!r}: there are {', '.join(map(repr, LOCALES))}")
    return LOCALES[lang]
