"""The default simulated company of the sandbox, as a declaration.

From January 2026 on, paid social media brings more and more deals, few of which are won. The chance of
winning never changes for any source or seller, yet the overall win rate falls.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from wegly_analytics.sandbox.entities import (
    Absence,
    Discount,
    Field,
    Frequencies,
    Growth,
    Owner,
    Pipeline,
    Reason,
    Source,
    Stage,
    Tag,
)
from wegly_analytics.sandbox.truth import Truth

TRUTH: Final = Truth(
    pipelines=(
        Pipeline(
            "Vendas",
            0.8,
            (
                Stage("Novo lead", 7, lost=0.09),
                Stage("Qualificação", 14, lost=0.18),
                Stage("Diagnóstico e demonstração", 21, lost=0.20),
                Stage("Proposta enviada", 28, lost=0.30),
                Stage("Negociação e fechamento", 14, lost=0.23),
            ),
            proposal=3,
        ),
        Pipeline(
            "Parcerias",
            0.2,
            (
                Stage("Mapeamento", 7, lost=0.20),
                Stage("Reunião com a diretoria", 21, lost=0.25),
                Stage("Proposta de parceria", 28, lost=0.35),
                Stage("Contrato e assinatura", 28, lost=0.20),
            ),
            proposal=2,
        ),
    ),
    sources=(
        Source("Indicação de clientes", 0.19, win=0.47),
        Source("Busca orgânica (Google)", 0.18, win=0.35),
        Source("Prospecção ativa", 0.17, win=0.24),
        Source("Tráfego pago (Google Ads)", 0.14, win=0.28),
        Source("Parceiros e integradores", 0.12, win=0.41),
        Source("Tráfego pago (Meta Ads)", 0.11, win=0.12, growth=Growth(date(2026, 1, 1), date(2026, 7, 1), 5.0)),
        Source("Eventos, feiras e congressos regionais do setor", 0.09, win=0.37),
    ),
    owners=(
        Owner("Ana Beatriz Nogueira", 0.18, 0.05),
        Owner("João Conceição", 0.17, -0.04),
        Owner("Maria Eduarda Vasconcelos de Albuquerque", 0.15, 0.03),
        Owner("Thiago Araújo", 0.14, -0.05),
        Owner("Letícia Gonçalves Brandão", 0.12, 0.02),
        Owner("Luís Otávio Mourão", 0.10, -0.005),
        Owner("Caio Sant'Anna", 0.08, -0.02),
        Owner("Françoise D'Ávila Guimarães", 0.06, 0.0),
    ),
    discounts=(
        Discount("none", 0.0, 0.0, 0.35, -0.03),
        Discount("light", 0.01, 0.08, 0.35, 0.02),
        Discount("medium", 0.08, 0.18, 0.20, 0.04),
        Discount("deep", 0.18, 0.35, 0.10, -0.045),
    ),
    reasons=(
        Reason("Preço acima do orçamento", 0.29),
        Reason("Sem retorno do cliente após várias tentativas", 0.23),
        Reason("Escolheu um concorrente", 0.17),
        Reason("Projeto adiado para o próximo ano fiscal", 0.11),
        Reason("Funcionalidade indispensável que o produto ainda não oferece", 0.09),
        Reason("Fora do perfil de cliente ideal", 0.07),
        Reason("Contato duplicado", 0.04),
    ),
    seasons=(0.85, 0.80, 1.05, 1.00, 1.05, 1.00, 0.95, 1.10, 1.10, 1.15, 1.10, 0.85),
    spread=0.8,
    value=14_000.0,
    value_spread=0.8,
    retired=Stage("Triagem (etapa antiga)", 7),
    frequencies=Frequencies(),
    tags=(
        Tag("Prioridade", "#D64545", 0.15),
        Tag("Enterprise", "#3D5A98", 0.12),
        Tag("Renovação", "#2F8F6B", 0.10),
        Tag("Campanha de volta às aulas", "#E0A030", 0.08),
        Tag("Aguardando documentação do cliente", "#8A8A8A", 0.06),
    ),
    fields=(
        Field("Segmento", 3, ("Varejo", "Indústria", "Saúde", "Educação", "Serviços financeiros", "Agronegócio")),
        Field("Porte", 3, ("Microempresa", "Pequena empresa", "Média empresa", "Grande empresa")),
        Field("Faturamento anual (R$)", 2),
        Field("Produtos de interesse", 4, ("Licença", "Implantação", "Treinamento", "Suporte 24 horas"), most=3),
        Field("Observações", 1),
    ),
    optional={
        "created_by": Absence(null=0.02),
        "responsible": Absence(null=0.01),
        "quality_rating": Absence(null=0.35),
        "quality_reason": Absence(null=0.55, missing=0.02),
        "temperature": Absence(null=0.08, missing=0.01),
        "organization": Absence(null=0.12),
        "lead": Absence(null=0.25, missing=0.02),
        "marketing_lead_source": Absence(null=0.35, missing=0.01),
        "last_activity_at": Absence(null=0.02),
        "participants": Absence(null=0.01, missing=0.01),
        "custom_fields": Absence(null=0.02, missing=0.01),
        "tags": Absence(null=0.01, missing=0.02),
        "followers": Absence(null=0.02, missing=0.03),
        "pipeline_stages": Absence(missing=0.005),
        "views_count": Absence(missing=0.01),
    },
)
"""The true rates of the default company."""
