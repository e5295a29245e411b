"""Names of the people, companies and campaigns of the simulated company, all invented."""

from __future__ import annotations

from typing import Final

FIRST_NAMES: Final = (
    *("Adriana", "Antônio", "Bárbara", "Bruno", "Cecília", "César", "Débora", "Eduardo", "Flávia", "Gustavo"),
    *("Helena", "Inácio", "Júlia", "Jussara", "Marcelo", "Natália", "Otávio", "Patrícia", "Rogério", "Verônica"),
)
SURNAMES: Final = (
    *("Almeida", "Barcellos", "Cavalcânti", "Damasceno", "Esteves", "Falcão", "Guimarães", "Junqueira", "Leitão"),
    *("Magalhães", "Negreiros", "Pacheco", "Queiroz", "Rezende", "Simões", "Taváres", "Uchôa", "Ximenes"),
)
TRADES: Final = (
    *("Comercial", "Distribuidora", "Indústria de Alimentos", "Clínica", "Colégio", "Cooperativa Agroindustrial"),
    *("Transportes e Logística", "Construtora", "Farmácia", "Estúdio", "Gráfica", "Instituto de Pesquisas"),
)
BRANDS: Final = (
    *("Aurora", "Boa Vista", "Campo Belo", "Delta", "Esperança", "Florença", "Horizonte", "Ipê-Amarelo", "Jacarandá"),
    *("Litoral Norte", "Mantiqueira", "Nova Era", "Ouro Fino", "Pedra Azul", "Serra do Mar", "Três Irmãos"),
)
FORMS: Final = ("Ltda.", "S.A.", "ME", "EIRELI", "e Filhos Ltda.")
PRODUCTS: Final = (
    *("Licença anual", "Implantação completa", "Plano Profissional", "Expansão de usuários", "Migração de sistema"),
    *("Treinamento da equipe", "Contrato de suporte"),
)
ROLES: Final = ("Decisor", "Influenciador", "Usuário final", "Jurídico e compliance")
FOLLOWER_ROLES: Final = ("Observador", "Pré-vendas", "Supervisor")
REMARKS: Final = (
    *("Prefere falar pela manhã.", "Pediu referências de outros clientes.", "Responde só por e-mail."),
    *("Volta de férias na segunda quinzena.", "Indicado por um cliente antigo."),
)
EXPLANATIONS: Final = (
    *("Disse que volta a conversar no segundo semestre.", "A diretoria pediu um desconto que não podemos dar."),
    *("Três ligações e dois e-mails sem resposta.", "Fechou com quem já atendia a matriz."),
)
RATINGS: Final = ("Sem orçamento definido", "Perfil incompleto", "Boa aderência", "Orçamento aprovado", "Perfil ideal")
CAMPAIGNS: Final = ("Verão 2026", "Dia do Cliente", "Captação – fundo de funil", "Remarketing | visitantes do site")
AD_SETS: Final = ("Sudeste 25-54", "Semelhantes a clientes", "Palavras da marca")
CONTENTS: Final = ("Vídeo depoimento", "Carrossel de produtos", "E-book gratuito")
PLACES: Final = ("Instagram Reels", "Feed do Facebook", "Rede de pesquisa", "YouTube")
TOOLS: Final = ("Formulário do site", "Landing page", "WhatsApp", "Chat")
TERMS: Final = ("crm para pequenas empresas", "sistema de vendas", "gestão de funil", "software comercial")
